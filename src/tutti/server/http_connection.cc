#include "tutti/server/http_connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include "tutti/server/error_response.h"
#include "tutti/server/http_response.h"

namespace tutti::server {
namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr size_t kReadBytes = 16 * 1024;
// Of the next requests, read while one is answered, to notice when the client goes away.
constexpr size_t kReadAheadBytes = 64 * 1024;
// After so much reading others have their turn.
constexpr size_t kTurnBytes = 256 * 1024;
constexpr size_t kRequestTurnBytes = 8 * 1024;  // what a request counts in this
constexpr size_t kLingerBytes = 64 * 1024 * 1024;
constexpr TimePoint kNever = TimePoint::max();
// Between two probes of a client that sends no more: the first, and the longest.
constexpr std::chrono::milliseconds kFirstProbe{10};
constexpr std::chrono::milliseconds kLastProbe{2000};

// A client's name for its request is echoed and logged: short and harmless, or not used.
bool IsRequestId(std::string_view id) {
  return !id.empty() && id.size() <= 128 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("._:+/=@-").find(c) != std::string_view::npos;
  });
}

}  // namespace

struct HttpConnection::Request {
  RequestHead head;
  ChunkDecoder chunks{0};
  size_t body_limit = 0;
  size_t counted_bytes = 0;  // of the body, in HttpCounters::body_bytes
  std::string id;
  TimePoint dispatched;
  std::vector<Header> headers;           // of the response, from admission
  std::shared_ptr<ResponseQueue> queue;  // shared with whoever answers
  bool head_sent = false;
  bool chunked_answer = false;
  bool has_answer_body = true;
};

HttpConnection::HttpConnection(uint64_t number, std::unique_ptr<ByteStream> stream,
                               std::string remote_address, ConnectionEnvironment* environment,
                               TimePoint now)
    : number_(number),
      stream_(std::move(stream)),
      remote_address_(std::move(remote_address)),
      environment_(*environment),
      now_(now),
      deadline_(now + environment->options.head_timeout),
      parser_(environment->options.limits) {}

HttpConnection::~HttpConnection() { Close(); }

void HttpConnection::Advance(TimePoint now) {
  now_ = now;
  wants_read_ = wants_write_ = yielded_ = false;
  turn_bytes_ = 0;
  try {
    if (now >= deadline_ && !closed()) TimeOut();
    while (!closed() && Step()) {
      if (turn_bytes_ < kTurnBytes) continue;
      yielded_ = true;
      break;
    }
  } catch (const std::exception&) {
    // No memory, for example: others have nothing to do with it.
    Abort();
  }
}

void HttpConnection::Drain(TimePoint now) {
  now_ = now;
  if (state_ == State::kHandshake || (state_ == State::kHead && input_.empty())) Close();
}

bool HttpConnection::Step() {
  switch (state_) {
    case State::kHandshake:
      return StepHandshake();
    case State::kHead:
      return StepHead();
    case State::kBody:
      return StepBody();
    case State::kAnswer:
      return StepAnswer();
    case State::kLinger:
      return StepLinger();
    case State::kClosed:
      break;
  }
  return false;
}

bool HttpConnection::StepHandshake() {
  switch (stream_->Handshake()) {
    case StreamState::kOk:
      state_ = State::kHead;
      return true;
    case StreamState::kWaitRead:
      wants_read_ = true;
      return false;
    case StreamState::kWaitWrite:
      wants_write_ = true;
      return false;
    default:
      environment_.counters->Count(HttpEvent::kTlsFailed);
      Close();
      return false;
  }
}

bool HttpConnection::StepHead() {
  if (idle_ && !input_.empty()) {
    idle_ = false;
    deadline_ = now_ + environment_.options.head_timeout;
  }
  RequestHead head;
  HttpRefusal refusal;
  if (!parser_.Parse(input_, &head, &refusal)) {
    return Fill(environment_.options.limits.head_bytes + kReadBytes);
  }
  if (refusal.status != 0) {
    environment_.counters->Count(refusal.status == 400 ? HttpEvent::kMalformed
                                                       : HttpEvent::kTooLarge);
    Refuse(refusal);
    return true;
  }
  input_.erase(0, head.size_bytes);
  BeginRequest(std::move(head));
  return true;
}

void HttpConnection::BeginRequest(RequestHead head) {
  environment_.counters->Count(HttpEvent::kRequest);
  turn_bytes_ += kRequestTurnBytes;
  parser_ = HeadParser(environment_.options.limits);
  request_ = std::make_unique<Request>();
  request_->head = std::move(head);
  HttpRequest& request = request_->head.request;
  request.remote_address = remote_address_;
  const std::string_view id = request.Find("x-request-id");
  request_->id = IsRequestId(id) ? std::string(id)
                                 : fmt::format("req_{:016x}{:08x}", environment_.ids.NextU64(),
                                               environment_.ids.NextU64() >> 32);
  request.id = request_->id;
  close_after_ = !request_->head.keep_alive;

  Admission admission{.body_limit_bytes = environment_.options.limits.body_bytes};
  if (environment_.options.admit) admission = environment_.options.admit(request);
  const bool has_body = request_->head.chunked || request_->head.content_length > 0;
  request_->headers = std::move(admission.headers);
  if (admission.answer) {
    if (admission.answer->status >= 400) environment_.counters->Count(HttpEvent::kNotAdmitted);
    close_after_ |= has_body;  // which nobody will read
    return Answer(std::move(*admission.answer));
  }
  request_->body_limit =
      std::min(admission.body_limit_bytes, environment_.options.limits.body_bytes);
  if (request_->head.content_length > request_->body_limit) {
    environment_.counters->Count(HttpEvent::kTooLarge);
    return Refuse({413, "body_too_large",
                   fmt::format("the body has {} bytes, at most {} are taken",
                               request_->head.content_length, request_->body_limit)});
  }
  if (!has_body) return Dispatch();
  request_->chunks = ChunkDecoder(request_->body_limit);
  if (request_->head.expects_continue && input_.empty()) {
    output_ += kContinue;
  }
  state_ = State::kBody;
  deadline_ = now_ + environment_.options.body_timeout;
}

bool HttpConnection::TakeBody() {
  std::string& body = request_->head.request.body;
  if (request_->head.chunked) {
    input_.erase(0, request_->chunks.Decode(input_, &body));
  } else {
    const size_t take =
        std::min<uint64_t>(input_.size(), request_->head.content_length - body.size());
    body.append(input_, 0, take);
    input_.erase(0, take);
  }
  const size_t grown = body.size() - std::exchange(request_->counted_bytes, body.size());
  const auto all =
      static_cast<size_t>(environment_.counters->body_bytes.fetch_add(static_cast<int64_t>(grown)) +
                          static_cast<int64_t>(grown));
  if (const HttpRefusal& refusal = request_->chunks.refusal(); refusal.status != 0) {
    environment_.counters->Count(refusal.status == 400 ? HttpEvent::kMalformed
                                                       : HttpEvent::kTooLarge);
    Refuse(refusal);
    return true;
  }
  if (grown > 0 && all > environment_.options.bodies_bytes) {
    environment_.counters->Count(HttpEvent::kNoMemory);
    Refuse({503, "overloaded", "too many large requests at once: try again later"});
    return true;
  }
  const bool whole = request_->head.chunked ? request_->chunks.done()
                                            : body.size() == request_->head.content_length;
  if (whole) Dispatch();
  return whole;
}

bool HttpConnection::StepBody() {
  if (!Flush()) return false;
  if (TakeBody()) return true;
  if (!Fill(kReadBytes)) return false;
  deadline_ = now_ + environment_.options.body_timeout;
  return true;
}

void HttpConnection::Dispatch() {
  state_ = State::kAnswer;
  ended_ = false;
  deadline_ = kNever;
  request_->dispatched = now_;
  request_->queue = std::make_shared<ResponseQueue>(std::move(request_->head.request),
                                                    environment_.options.buffer_bytes,
                                                    environment_.make_wake(number_));
  std::shared_ptr<Exchange> exchange = MakeExchange(request_->queue);
  try {
    environment_.handler(std::move(exchange));
  } catch (const std::exception&) {
    // The exchange is gone and has answered 500; other requests have nothing to do with it.
  }
}

void HttpConnection::Answer(HttpResponse response) {
  state_ = State::kAnswer;
  deadline_ = now_ + environment_.options.write_timeout;
  close_after_ |= environment_.draining;
  ResponseFraming framing;
  framing.close = close_after_;
  framing.head_only = request_->head.request.method == "HEAD";
  framing.keep_alive_s = static_cast<int>(environment_.options.keep_alive.count() / 1000);
  framing.id = request_->id;
  framing.date = environment_.date;
  AppendHead(response, request_->headers, framing, &output_);
  if (!framing.head_only && HasBody(response.status)) output_ += response.body;
  ended_ = true;
}

void HttpConnection::Refuse(const HttpRefusal& refusal) {
  if (!request_) {
    request_ = std::make_unique<Request>();
    request_->id = fmt::format("req_{:016x}{:08x}", environment_.ids.NextU64(),
                               environment_.ids.NextU64() >> 32);
  }
  close_after_ = true;
  Answer(RefusalResponse(refusal, request_->head.request));
}

void HttpConnection::TakeOutput() {
  ResponseQueue::Output output = request_->queue->Take();
  if (output.broken) {
    if (request_->queue->slow()) environment_.counters->Count(HttpEvent::kSlowReader);
    return Abort();
  }
  if (output.head) {
    close_after_ |= environment_.draining;
    ResponseFraming framing;
    framing.streamed = output.streamed;
    framing.http_1_0 = request_->head.http_1_0;
    framing.head_only = request_->queue->request().method == "HEAD";
    close_after_ |= output.streamed && framing.http_1_0;
    framing.close = close_after_;
    framing.keep_alive_s = static_cast<int>(environment_.options.keep_alive.count() / 1000);
    framing.id = request_->id;
    framing.date = environment_.date;
    std::move(output.more_headers.begin(), output.more_headers.end(),
              std::back_inserter(request_->headers));
    const auto waited =
        std::chrono::duration_cast<std::chrono::milliseconds>(now_ - request_->dispatched);
    request_->headers.push_back({"openai-processing-ms", fmt::format("{}", waited.count())});
    AppendHead(*output.head, request_->headers, framing, &output_);
    request_->head_sent = true;
    request_->has_answer_body = !framing.head_only && HasBody(output.head->status);
    request_->chunked_answer = IsChunked(output.head->status, framing);
    output.body.insert(0, output.head->body);
  }
  if (request_->has_answer_body && !output.body.empty()) {
    if (request_->chunked_answer) {
      AppendChunk(output.body, &output_);
    } else {
      output_ += output.body;
    }
  }
  ended_ = output.ended;
  if (ended_ && request_->has_answer_body && request_->chunked_answer) output_ += kLastChunk;
}

bool HttpConnection::StepAnswer() {
  const bool flushed = Flush();
  if (closed()) return false;
  if (flushed && ended_) {
    FinishResponse();
    return true;
  }
  if (flushed && request_->queue) {
    TakeOutput();
    if (closed()) return false;
    if (!output_.empty()) {
      deadline_ = now_ + environment_.options.write_timeout;
      return true;
    }
    if (ended_) return true;
    deadline_ = kNever;
  } else if (request_->queue) {
    // A reader that is too slow is given up by Write; its queue says so here.
    if (request_->queue->slow()) {
      TakeOutput();
      return false;
    }
  }
  return WatchClient();
}

bool HttpConnection::EndOfInput() {
  if (state_ != State::kAnswer || half_closed_) {
    LoseClient();
    return false;
  }
  half_closed_ = true;
  probe_at_ = now_;
  probe_pause_ = kFirstProbe;
  return true;
}

bool HttpConnection::Probe() {
  if (!output_.empty()) return false;  // which is as good
  if (now_ < probe_at_) {
    deadline_ = probe_at_;
    return false;
  }
  char byte;
  if (stream_->Read({&byte, 1}).state == StreamState::kFailed) {
    LoseClient();
    return false;
  }
  probe_at_ = now_ + probe_pause_;
  probe_pause_ = std::min(2 * probe_pause_, kLastProbe);
  if (!request_->head_sent) {
    // Clients that know HTTP/1.1 skip it.
    if (!request_->head.http_1_0) output_ = kContinue;
  } else if (request_->chunked_answer && request_->has_answer_body) {
    output_ = "0";  // in front of the next chunk's size; some clients take 16 digits at most
  }
  return true;
}

bool HttpConnection::WatchClient() {
  if (half_closed_) return request_->queue != nullptr && Probe();
  if (input_.size() >= kReadAheadBytes) return false;
  return Fill(kReadAheadBytes);
}

bool HttpConnection::Fill(size_t limit_bytes) {
  const size_t had = input_.size();
  std::array<char, kReadBytes> buffer;
  const size_t room = std::min(buffer.size(), limit_bytes - std::min(limit_bytes, had));
  if (room == 0) return false;
  const StreamResult result = stream_->Read({buffer.data(), room});
  switch (result.state) {
    case StreamState::kOk:
      input_.append(buffer.data(), result.bytes);
      turn_bytes_ += result.bytes;
      environment_.counters->Count(HttpEvent::kBytesIn, static_cast<int64_t>(result.bytes));
      return true;
    case StreamState::kWaitRead:
      wants_read_ = true;
      return false;
    case StreamState::kWaitWrite:
      wants_write_ = true;
      return false;
    case StreamState::kEnd:
      return EndOfInput();
    default:
      LoseClient();
      return false;
  }
}

bool HttpConnection::Flush() {
  while (output_sent_ < output_.size()) {
    const StreamResult result = stream_->Write(std::string_view(output_).substr(output_sent_));
    if (result.state == StreamState::kOk) {
      output_sent_ += result.bytes;
      environment_.counters->Count(HttpEvent::kBytesOut, static_cast<int64_t>(result.bytes));
      deadline_ = now_ + environment_.options.write_timeout;
      continue;
    }
    if (request_ && request_->queue) request_->queue->SetUnsent(output_.size() - output_sent_);
    if (result.state == StreamState::kWaitWrite) {
      wants_write_ = true;
    } else if (result.state == StreamState::kWaitRead) {
      wants_read_ = true;
    } else {
      LoseClient();
    }
    return false;
  }
  if (output_sent_ > 0) {
    output_sent_ = 0;
    output_ = {};
    if (request_ && request_->queue) request_->queue->SetUnsent(0);
  }
  return true;
}

void HttpConnection::FinishResponse() {
  ReleaseBody();
  request_.reset();
  ended_ = false;
  if (close_after_ || environment_.draining) return Linger();
  state_ = State::kHead;
  idle_ = true;
  deadline_ = now_ + environment_.options.keep_alive;
  if (input_.empty()) input_ = {};
}

void HttpConnection::Linger() {
  stream_->EndWriting();
  state_ = State::kLinger;
  input_ = {};
  output_ = {};
  deadline_ = now_ + environment_.options.linger;
}

bool HttpConnection::StepLinger() {
  const bool more = Fill(kReadBytes);
  output_sent_ += input_.size();  // what was thrown away
  input_.clear();
  if (output_sent_ > kLingerBytes) Abort();
  return more;
}

void HttpConnection::ReleaseBody() {
  if (!request_) return;
  environment_.counters->body_bytes.fetch_sub(
      static_cast<int64_t>(std::exchange(request_->counted_bytes, 0)));
}

void HttpConnection::Close() {
  if (closed()) return;
  state_ = State::kClosed;
  wants_read_ = wants_write_ = false;
  ReleaseBody();
  if (request_ && request_->queue) request_->queue->Abandon();
  request_.reset();
}

void HttpConnection::LoseClient() {
  if (request_ && request_->queue && !ended_) {
    environment_.counters->Count(HttpEvent::kClientGone);
  }
  Close();
}

void HttpConnection::Abort() {
  if (closed()) return;
  stream_->Abort();
  Close();
}

void HttpConnection::TimeOut() {
  switch (state_) {
    case State::kHead:
      if (input_.empty()) return Close();
      environment_.counters->Count(HttpEvent::kHeadTimeout);
      return Refuse({408, "timeout", "the headers did not come in time"});
    case State::kBody:
      environment_.counters->Count(HttpEvent::kBodyTimeout);
      return Refuse({408, "timeout", "the body stopped coming"});
    case State::kAnswer:
      if (half_closed_ && output_.empty()) return;  // time for a probe
      environment_.counters->Count(HttpEvent::kSlowReader);
      return Abort();
    case State::kHandshake:
      environment_.counters->Count(HttpEvent::kHeadTimeout);
      return Abort();
    default:
      return Abort();
  }
}

}  // namespace tutti::server
