#include "tutti/server/http_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

namespace tutti::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// The network as a test wants it.
struct Wire {
  std::string to_server;
  bool client_ended = false;
  bool client_gone = false;  // also for what is written
  std::string to_client;
  size_t room = 1 << 30;  // bytes that the client takes
  bool writing_ended = false;
  bool aborted = false;
};

class FakeStream : public ByteStream {
 public:
  explicit FakeStream(Wire* wire) : wire_(wire) {}
  StreamState Handshake() override { return StreamState::kOk; }
  StreamResult Read(std::span<char> buffer) override {
    if (wire_->client_gone) return {StreamState::kFailed};
    if (wire_->to_server.empty()) {
      return {wire_->client_ended ? StreamState::kEnd : StreamState::kWaitRead};
    }
    const size_t bytes = wire_->to_server.copy(buffer.data(), buffer.size());
    wire_->to_server.erase(0, bytes);
    return {StreamState::kOk, bytes};
  }
  StreamResult Write(std::string_view data) override {
    if (wire_->client_gone) return {StreamState::kFailed};
    const size_t bytes = std::min(data.size(), wire_->room);
    if (bytes == 0) return {StreamState::kWaitWrite};
    wire_->to_client += data.substr(0, bytes);
    wire_->room -= bytes;
    return {StreamState::kOk, bytes};
  }
  void EndWriting() override { wire_->writing_ended = true; }
  void Abort() override { wire_->aborted = true; }

 private:
  Wire* wire_;
};

// One connection, and the time.
class HttpConnectionTest : public ::testing::Test {
 protected:
  void Connect() {
    environment_.counters = &counters_;
    environment_.handler = [this](std::shared_ptr<Exchange> exchange) {
      exchanges_.push_back(std::move(exchange));
    };
    environment_.make_wake = [this](uint64_t) { return [this] { ++wakes_; }; };
    environment_.date = "now";
    connection_ = std::make_unique<HttpConnection>(1, std::make_unique<FakeStream>(&wire_),
                                                   "10.0.0.1", &environment_, now_);
    connection_->Advance(now_);
  }
  void Send(std::string_view text) {
    wire_.to_server += text;
    Run();
  }
  void Run() {
    do {
      connection_->Advance(now_);
    } while (connection_->yielded());
  }
  void Pass(std::chrono::milliseconds time) {
    now_ += time;
    Run();
  }
  int64_t Count(HttpEvent event) const { return counters_.Get(event); }

  Wire wire_;
  HttpCounters counters_;
  ConnectionEnvironment environment_;
  std::deque<std::shared_ptr<Exchange>> exchanges_;
  int wakes_ = 0;
  TimePoint now_{seconds(1000)};
  std::unique_ptr<HttpConnection> connection_;
};

constexpr std::string_view kGet = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kPost = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n";

TEST_F(HttpConnectionTest, EndsHalfAHeadAfter15Seconds) {
  Connect();
  EXPECT_EQ(connection_->deadline(), now_ + seconds(15));
  for (const char c : kGet.substr(0, 14)) {
    Send(std::string(1, c));
    Pass(seconds(1));
  }
  EXPECT_FALSE(connection_->closed());
  EXPECT_EQ(wire_.to_client, "");
  Pass(seconds(1));
  EXPECT_THAT(wire_.to_client, StartsWith("HTTP/1.1 408 "));
  EXPECT_TRUE(wire_.writing_ended);
  Pass(seconds(2));
  EXPECT_TRUE(connection_->closed());
  EXPECT_EQ(Count(HttpEvent::kHeadTimeout), 1);
}

TEST_F(HttpConnectionTest, EndsASilentConnectionWithoutAWord) {
  Connect();
  Pass(seconds(15));
  EXPECT_TRUE(connection_->closed());
  EXPECT_EQ(wire_.to_client, "");
}

TEST_F(HttpConnectionTest, EndsABodyThatStopsFor30Seconds) {
  Connect();
  Send(kPost);
  for (int i = 0; i < 3; ++i) {
    Pass(seconds(29));
    Send("x");
  }
  EXPECT_EQ(wire_.to_client, "");
  Pass(seconds(30));
  EXPECT_THAT(wire_.to_client, StartsWith("HTTP/1.1 408 "));
  EXPECT_EQ(Count(HttpEvent::kBodyTimeout), 1);
  EXPECT_TRUE(exchanges_.empty());
}

TEST_F(HttpConnectionTest, KeepsAnIdleConnectionFor75SecondsAndThenWaits15ForAHead) {
  Connect();
  Send(kGet);
  Pass(std::chrono::hours(1));  // an answer may take its time
  exchanges_.front()->Respond({});
  Run();
  EXPECT_THAT(wire_.to_client, HasSubstr("openai-processing-ms: 3600000\r\n"));
  EXPECT_THAT(wire_.to_client, HasSubstr("keep-alive: timeout=75\r\n"));
  Pass(seconds(74));
  EXPECT_FALSE(connection_->closed());
  Send("G");
  Pass(milliseconds(14'999));
  EXPECT_FALSE(wire_.writing_ended);
  Pass(milliseconds(1));
  EXPECT_THAT(wire_.to_client, HasSubstr("HTTP/1.1 408 "));
}

TEST_F(HttpConnectionTest, GivesUpAReaderThatTakesNothingFor30Seconds) {
  Connect();
  wire_.room = 10;
  Send(kGet);
  bool gone = false;
  exchanges_.front()->OnAbandoned([&] { gone = true; });
  exchanges_.front()->Begin({200, {}, "slow"});
  Run();
  EXPECT_TRUE(connection_->wants_write());
  Pass(seconds(29));
  wire_.room = 10;
  Run();
  Pass(seconds(29));
  EXPECT_FALSE(gone);
  Pass(seconds(1));
  EXPECT_TRUE(gone);
  EXPECT_TRUE(wire_.aborted);
  EXPECT_EQ(Count(HttpEvent::kSlowReader), 1);
}

TEST_F(HttpConnectionTest, BuffersAtMostItsShareForASlowReader) {
  environment_.options.buffer_bytes = 1000;
  Connect();
  Send(kGet);
  const auto exchange = exchanges_.front();
  exchange->Begin({});
  Run();
  wire_.room = 0;
  const std::string piece(100, 'x');
  int written = 0;
  while (exchange->Write(piece)) {
    ++written;
    Run();
  }
  EXPECT_EQ(written, 10);  // with 6 bytes around the first chunk, 1006 wait
  Run();
  EXPECT_TRUE(connection_->closed());
  EXPECT_TRUE(wire_.aborted);
}

TEST_F(HttpConnectionTest, WritesOnceWhatWasWrittenOften) {
  Connect();
  Send(kGet);
  exchanges_.front()->Begin({});
  Run();
  wire_.to_client.clear();
  wakes_ = 0;
  for (int i = 0; i < 100; ++i) exchanges_.front()->Write("0123456789");
  EXPECT_EQ(wakes_, 1);
  Run();
  EXPECT_THAT(wire_.to_client, StartsWith("3e8\r\n0123456789012"));
  EXPECT_EQ(wire_.to_client.size(), 1000 + 7);
}

TEST_F(HttpConnectionTest, AnswersPipelinedRequestsOneAfterTheOther) {
  Connect();
  Send(std::string(kGet) + std::string(kPost) + "bodyG");
  ASSERT_EQ(exchanges_.size(), 1);
  Run();
  ASSERT_EQ(exchanges_.size(), 1);
  exchanges_.front()->Respond({200, {}, "one"});
  Run();
  ASSERT_EQ(exchanges_.size(), 2);
  EXPECT_EQ(exchanges_.back()->request().body, "body");
  exchanges_.back()->Respond({200, {}, "two"});
  Run();
  EXPECT_THAT(wire_.to_client, EndsWith("two"));
  EXPECT_EQ(Count(HttpEvent::kRequest), 2);
  EXPECT_FALSE(connection_->closed());
}

TEST_F(HttpConnectionTest, LetsOthersHaveATurn) {
  environment_.options.admit = [](HttpRequest&) { return Admission{.answer = HttpResponse{}}; };
  Connect();
  std::string many;
  for (int i = 0; i < 1000; ++i) many += kGet;
  wire_.to_server = many;
  connection_->Advance(now_);
  EXPECT_TRUE(connection_->yielded());
  EXPECT_LT(Count(HttpEvent::kRequest), 100);
  Run();
  EXPECT_EQ(Count(HttpEvent::kRequest), 1000);
}

TEST_F(HttpConnectionTest, ReadsOnlySoFarAheadOfAnAnswer) {
  Connect();
  Send(kGet);
  Send(std::string(1 << 20, 'x'));
  EXPECT_GE(wire_.to_server.size(), (1 << 20) - 65'536 - 16'384);
  EXPECT_FALSE(connection_->wants_read());
  exchanges_.front()->Respond({});
  Run();
  EXPECT_THAT(wire_.to_client, HasSubstr("HTTP/1.1 414 "));
}

TEST_F(HttpConnectionTest, LosesAClientWhileItsBodyComesOrItsAnswerIsMade) {
  Connect();
  Send(kPost);
  EXPECT_EQ(counters_.body_bytes.load(), 0);
  Send("bo");
  EXPECT_EQ(counters_.body_bytes.load(), 2);
  wire_.client_ended = true;
  Run();
  EXPECT_TRUE(connection_->closed());
  EXPECT_EQ(counters_.body_bytes.load(), 0);
  EXPECT_TRUE(exchanges_.empty());
}

// As nc does, and some load balancers.
TEST_F(HttpConnectionTest, AnswersAClientThatSendsNoMore) {
  for (const bool streamed : {false, true}) {
    wire_ = {};
    Connect();
    wire_.client_ended = true;
    Send(std::string(kGet) + std::string(kGet));  // in the order in which they came, also now
    ASSERT_FALSE(connection_->closed());
    Pass(seconds(8));
    EXPECT_FALSE(connection_->wants_read());
    for (const char* text : {"one", "two"}) {
      const auto exchange = std::exchange(exchanges_, {}).front();
      if (!streamed) {
        exchange->Respond({200, {}, text});
      } else {
        exchange->Begin({200, {}, text});
        Run();
        Pass(milliseconds(1));
        Pass(seconds(3));
        EXPECT_TRUE(exchange->Write(" three"));
        Run();
        Pass(seconds(3));
        exchange->End();
      }
      Run();
    }
    EXPECT_TRUE(connection_->closed());
    EXPECT_FALSE(wire_.aborted);
    std::string text = wire_.to_client;
    EXPECT_THAT(text, StartsWith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 "));
    const std::string first = streamed ? "\r\n3\r\none\r\n06\r\n three\r\n00\r\n\r\n" : "\r\none";
    EXPECT_THAT(text, HasSubstr(first));
    EXPECT_THAT(text, EndsWith(streamed ? "06\r\n three\r\n00\r\n\r\n" : "\r\ntwo"));
  }
  EXPECT_EQ(Count(HttpEvent::kClientGone), 0);
}

TEST_F(HttpConnectionTest, NoticesThatWhoSendsNoMoreIsGone) {
  for (const bool streamed : {false, true}) {
    wire_ = {};
    Connect();
    Send(kGet);
    const auto exchange = std::exchange(exchanges_, {}).front();
    bool gone = false;
    exchange->OnAbandoned([&] { gone = true; });
    if (streamed) exchange->Begin({});
    Run();
    wire_.client_ended = true;
    const size_t sent = wire_.to_client.size();
    Run();
    EXPECT_GT(wire_.to_client.size(), sent);  // to which its kernel says that nobody is there
    wire_.client_gone = true;
    EXPECT_FALSE(gone);
    EXPECT_LE(connection_->deadline(), now_ + milliseconds(10));
    Pass(milliseconds(10));
    EXPECT_TRUE(gone);
    EXPECT_TRUE(connection_->closed());
  }
  EXPECT_EQ(Count(HttpEvent::kClientGone), 2);
}

TEST_F(HttpConnectionTest, CountsTheBodiesOfAll) {
  environment_.options.bodies_bytes = 3;
  Connect();
  Send(std::string(kPost) + "body");
  EXPECT_THAT(wire_.to_client, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(wire_.to_client, HasSubstr("retry-after: "));
  EXPECT_TRUE(exchanges_.empty());
  EXPECT_EQ(Count(HttpEvent::kNoMemory), 1);
  EXPECT_EQ(counters_.body_bytes.load(), 0);
}

TEST_F(HttpConnectionTest, AnsweringEndsBeforeAMisbehavingClientIsDropped) {
  Connect();
  Send("GET / HTTP/1.1\r\n\r\n" + std::string(100'000, 'x'));
  EXPECT_THAT(wire_.to_client, StartsWith("HTTP/1.1 400 "));
  // What it still sends is thrown away, so that it can read the answer.
  EXPECT_TRUE(wire_.writing_ended);
  EXPECT_FALSE(connection_->closed());
  Send(std::string(100'000, 'x'));
  EXPECT_EQ(wire_.to_server, "");
  wire_.client_ended = true;
  Run();
  EXPECT_TRUE(connection_->closed());
  EXPECT_FALSE(wire_.aborted);
}

TEST_F(HttpConnectionTest, AHandlerThatThrowsIsAnsweredFor) {
  Connect();
  environment_.handler = [](std::shared_ptr<Exchange>) { throw std::bad_alloc(); };
  Send(kGet);
  EXPECT_THAT(wire_.to_client, StartsWith("HTTP/1.1 500 "));
  EXPECT_FALSE(connection_->closed());
}

TEST_F(HttpConnectionTest, DrainsIdleOnesAtOnceAndBusyOnesAfterTheirAnswer) {
  Connect();
  connection_->Drain(now_);
  EXPECT_TRUE(connection_->closed());
  Connect();
  Send(kGet);
  environment_.draining = true;
  connection_->Drain(now_);
  EXPECT_FALSE(connection_->closed());
  exchanges_.back()->Respond({200, {}, "bye"});
  Run();
  EXPECT_THAT(wire_.to_client, EndsWith("connection: close\r\n\r\nbye"));
  EXPECT_TRUE(wire_.writing_ended);
}

}  // namespace
}  // namespace tutti::server
