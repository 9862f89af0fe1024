// Any bytes as what a client sends. Three questions: is a request read the same however it is cut;
// does Boost.Beast, where it takes what is accepted here, understand the same; and does a
// connection survive, with nothing left open.
#include <algorithm>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tutti/base/check.h"
#include "tutti/server/http_connection.h"
#include "tutti/server/http_framing.h"

namespace {

namespace http = boost::beast::http;
using namespace tutti::server;

struct Reading {
  bool complete = false;
  RequestHead head;
  HttpRefusal refusal;
};

Reading Read(std::string_view input, size_t step) {
  Reading reading;
  HeadParser parser({});
  for (size_t end = 0; !reading.complete; end = std::min(end + step, input.size())) {
    reading.complete = parser.Parse(input.substr(0, end), &reading.head, &reading.refusal);
    if (end == input.size()) break;
  }
  return reading;
}

bool DecodeChunks(std::string_view input, size_t step, std::string* body, size_t* used) {
  ChunkDecoder decoder(1 << 20);
  *used = 0;
  while (*used < input.size() && !decoder.done() && decoder.refusal().status == 0) {
    *used += decoder.Decode(input.substr(*used, step), body);
  }
  return decoder.done();
}

// What is accepted here must mean the same to another reader.
void CompareWithBeast(std::string_view input, const RequestHead& head) {
  http::request_parser<http::string_body> parser;
  parser.header_limit(1 << 20);
  parser.body_limit(1 << 20);
  parser.eager(true);
  boost::system::error_code error;
  const size_t skip = input.starts_with("\r\n") ? 2 : 0;
  const std::string_view rest = input.substr(head.size_bytes);
  std::string body;
  size_t body_bytes = head.content_length;
  if (head.chunked) {
    if (!DecodeChunks(rest, 1 << 20, &body, &body_bytes)) return;
  } else {
    if (body_bytes > rest.size()) return;
    body = rest.substr(0, body_bytes);
  }
  const std::string_view whole = input.substr(skip, head.size_bytes - skip + body_bytes);
  size_t used = 0;
  while (!error && used < whole.size() && !parser.is_done()) {
    const size_t put =
        parser.put(boost::asio::buffer(whole.data() + used, whole.size() - used), error);
    used += put;
    if (put == 0) break;
  }
  // Beast may refuse more (extensions of chunks, for example), but not understand otherwise.
  if (error) return;
  TUTTI_CHECK(parser.is_done() && used == whole.size(), "Beast sees another end");
  const auto& message = parser.get();
  TUTTI_CHECK(message.method_string() == head.request.method, "another method");
  // Of several Connection fields, which are one list (RFC 9110, 5.3), Beast reads the first.
  if (!head.http_1_0 && message.count(http::field::connection) <= 1) {
    TUTTI_CHECK(message.keep_alive() == head.keep_alive, "another connection");
  }
  TUTTI_CHECK(message.body() == body, "another body");
}

class ScriptedStream : public ByteStream {
 public:
  ScriptedStream(std::string_view input, size_t step, std::string* output)
      : input_(input), step_(step), output_(output) {}
  StreamState Handshake() override { return StreamState::kOk; }
  StreamResult Read(std::span<char> buffer) override {
    waited_ = !waited_;
    if (waited_) return {StreamState::kWaitRead};
    if (input_.empty()) return {StreamState::kEnd};
    const size_t bytes = input_.copy(buffer.data(), std::min(step_, buffer.size()));
    input_.remove_prefix(bytes);
    return {StreamState::kOk, bytes};
  }
  StreamResult Write(std::string_view data) override {
    output_->append(data);
    return {StreamState::kOk, data.size()};
  }
  void EndWriting() override {}
  void Abort() override {}

 private:
  std::string_view input_;
  size_t step_;
  std::string* output_;
  bool waited_ = false;
};

void Serve(std::string_view input, size_t step) {
  std::string output;
  HttpCounters counters;
  ConnectionEnvironment environment;
  environment.options.limits.body_bytes = 1000;
  environment.counters = &counters;
  environment.date = "now";
  environment.make_wake = [](uint64_t) { return [] {}; };
  int requests = 0;
  environment.handler = [&](std::shared_ptr<Exchange> exchange) {
    TUTTI_CHECK(exchange->request().path.starts_with('/'), "a path");
    TUTTI_CHECK(exchange->request().body.size() <= 1000, "a body within its limit");
    if (++requests % 3 == 0) return;
    if (requests % 3 == 1) return exchange->Respond({200, {}, exchange->request().body});
    exchange->Begin({200, {}, "begin"});
    exchange->Write("more");
    exchange->End();
  };
  TimePoint now{std::chrono::seconds(1000)};
  {
    HttpConnection connection(1, std::make_unique<ScriptedStream>(input, step, &output), "peer",
                              &environment, now);
    // Each byte needs two turns at most; then there is the end.
    for (size_t turn = 0; turn < 3 * input.size() + 20 && !connection.closed(); ++turn) {
      connection.Advance(now);
    }
    TUTTI_CHECK(connection.closed(), "a client that has gone is let go");
  }
  TUTTI_CHECK(output.empty() || output.starts_with("HTTP/1.1 "), "an answer is HTTP");
  TUTTI_CHECK(counters.body_bytes.load() == 0, "all bodies given back");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t step = data[0] + 1u;
  const Reading whole = Read(input, input.size() + 1);
  const Reading cut = Read(input, step);
  TUTTI_CHECK(whole.complete == cut.complete, "the same end however it is cut");
  TUTTI_CHECK(whole.refusal.status == cut.refusal.status, "the same refusal however it is cut");
  if (whole.complete && whole.refusal.status == 0) {
    TUTTI_CHECK(whole.head.size_bytes == cut.head.size_bytes, "the same size");
    CompareWithBeast(input, whole.head);
  }
  std::string body_whole;
  std::string body_cut;
  size_t used_whole = 0;
  size_t used_cut = 0;
  const bool done_whole = DecodeChunks(input, input.size() + 1, &body_whole, &used_whole);
  const bool done_cut = DecodeChunks(input, step, &body_cut, &used_cut);
  TUTTI_CHECK(done_whole == done_cut && body_whole == body_cut && used_whole == used_cut,
              "the same body however it is cut");
  Serve(input, step);
  return 0;
}
