// One client's connection as a machine: it is told that something may have happened (bytes, room
// for bytes, an answer, a time) and does all that can be done without waiting. No socket loop, no
// clock and no lock is in it, so a test can be the network and the time.
//
// Requests are answered in the order in which they came; the next one is read when its predecessor
// is answered. While an answer is awaited or streamed, the connection keeps reading, so that it
// notices at once when the client goes away. An end of the client's bytes may mean that it is gone,
// or that it sends no more and reads on: bytes that mean nothing are sent then, now and again, and
// the kernel of a client that is gone refuses them.
//
// Ownership: the connection owns its stream; the environment outlives it. Threads: one.
// Errors: none; they end the connection, most with an answer.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "tutti/base/rng.h"
#include "tutti/server/http.h"
#include "tutti/server/http_exchange.h"
#include "tutti/server/http_framing.h"
#include "tutti/server/http_options.h"
#include "tutti/server/http_stream.h"

namespace tutti::server {

using TimePoint = std::chrono::steady_clock::time_point;

// What the connections of one thread share.
struct ConnectionEnvironment {
  HttpOptions options;
  HttpHandler handler;
  HttpCounters* counters = nullptr;
  Rng ids{0};             // for requests that bring no name
  bool draining = false;  // no connection goes on after its response
  std::string date;       // for responses
  // Makes what calls Advance() of the connection with this number soon, from any thread.
  std::function<std::function<void()>(uint64_t number)> make_wake;
};

class HttpConnection {
 public:
  HttpConnection(uint64_t number, std::unique_ptr<ByteStream> stream, std::string remote_address,
                 ConnectionEnvironment* environment, TimePoint now);
  ~HttpConnection();

  // Whatever happened: does what can be done.
  void Advance(TimePoint now);
  // The server drains: ends if no request is under way.
  void Drain(TimePoint now);

  // What must happen before Advance() has anything to do, besides wake.
  bool closed() const { return state_ == State::kClosed; }
  bool wants_read() const { return wants_read_; }
  bool wants_write() const { return wants_write_; }
  // Others had to have a turn: call Advance() again soon.
  bool yielded() const { return yielded_; }
  TimePoint deadline() const { return deadline_; }

 private:
  enum class State : uint8_t { kHandshake, kHead, kBody, kAnswer, kLinger, kClosed };

  // Each does one thing and returns true, or returns false where it must wait.
  bool Step();
  bool StepHandshake();
  bool StepHead();
  bool StepBody();
  bool StepAnswer();
  bool StepLinger();

  bool Fill(size_t limit_bytes);  // reads into input_
  bool Flush();                   // writes all of output_
  bool TakeBody();                // from input_; true when the body is whole or refused
  bool WatchClient();
  bool EndOfInput();
  // Sends bytes that mean nothing, where that is possible.
  bool Probe();
  void BeginRequest(RequestHead head);
  void Dispatch();
  void TakeOutput();
  void FinishResponse();
  // Answers from the transport; the connection ends after it.
  void Refuse(const HttpRefusal& refusal);
  void Answer(HttpResponse response);  // from the transport, instead of the handler
  void Linger();
  void Close();
  void LoseClient();
  void Abort();
  void TimeOut();
  void ReleaseBody();

  const uint64_t number_;
  const std::unique_ptr<ByteStream> stream_;
  const std::string remote_address_;
  ConnectionEnvironment& environment_;

  State state_ = State::kHandshake;
  bool wants_read_ = false;
  bool wants_write_ = false;
  bool yielded_ = false;
  bool idle_ = false;         // between requests, no byte of the next one yet
  bool close_after_ = false;  // the response under way
  bool ended_ = false;        // all of the response is in output_
  bool half_closed_ = false;  // the client sends no more, and may be gone
  TimePoint probe_at_;
  std::chrono::milliseconds probe_pause_{0};
  TimePoint now_;
  TimePoint deadline_;
  size_t turn_bytes_ = 0;  // read since others had a turn

  std::string input_;  // not yet understood
  HeadParser parser_;
  std::string output_;
  size_t output_sent_ = 0;

  struct Request;  // what only a request under way needs
  std::unique_ptr<Request> request_;
};

}  // namespace tutti::server
