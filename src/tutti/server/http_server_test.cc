#include "tutti/server/http_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace tutti::server {
namespace {

using std::chrono::milliseconds;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// A client that says exactly what it is told. Reads end after 20 s, so a mistake is a failure and
// not a hanging test.
class Client {
 public:
  explicit Client(uint16_t port, int receive_bytes = 0) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval limit{20, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (receive_bytes > 0) {
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    EXPECT_EQ(::connect(fd_, generic, sizeof(address)), 0);
  }
  ~Client() { Close(); }
  void Close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  void EndWriting() { ::shutdown(fd_, SHUT_WR); }
  void Send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      text.remove_prefix(static_cast<size_t>(sent));
    }
  }
  // All until the server ends the connection.
  std::string ReadAll() {
    while (Receive()) {
    }
    return std::exchange(received_, {});
  }
  // Up to and with `end`; what came, where it never comes.
  std::string ReadUntil(std::string_view end) {
    size_t at;
    while ((at = received_.find(end)) == std::string::npos) {
      if (!Receive()) return std::exchange(received_, {});
    }
    std::string text = received_.substr(0, at + end.size());
    received_.erase(0, at + end.size());
    return text;
  }
  std::string ReadBytes(size_t bytes) {
    while (received_.size() < bytes && Receive()) {
    }
    std::string text = received_.substr(0, bytes);
    received_.erase(0, bytes);
    return text;
  }

 private:
  bool Receive() {
    char buffer[65536];
    const ssize_t bytes = ::recv(fd_, buffer, sizeof(buffer), 0);
    if (bytes <= 0) return false;
    received_.append(buffer, static_cast<size_t>(bytes));
    return true;
  }

  int fd_;
  std::string received_;
};

// A server whose requests a test takes and answers itself.
class TestServer {
 public:
  explicit TestServer(HttpOptions options = {}) {
    options.port = 0;
    auto created =
        HttpServer::Create(std::move(options), [this](std::shared_ptr<Exchange> exchange) {
          if (exchange->request().path == "/echo") {
            HttpResponse response;
            response.body = exchange->request().method + " " + exchange->request().body;
            return exchange->Respond(std::move(response));
          }
          const std::lock_guard lock(mutex_);
          exchanges_.push_back(std::move(exchange));
          changed_.notify_all();
        });
    EXPECT_TRUE(created.ok()) << created.status().message();
    server_ = std::move(created).value();
    thread_ = std::thread([this] { server_->Run(); });
  }
  ~TestServer() {
    server_->Stop();
    if (thread_.joinable()) thread_.join();
  }
  HttpServer& server() { return *server_; }
  uint16_t port() const { return server_->port(); }
  void WaitUntilEnded() { thread_.join(); }

  std::shared_ptr<Exchange> Next() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::seconds(20), [&] { return !exchanges_.empty(); })) {
      return nullptr;
    }
    auto exchange = std::move(exchanges_.front());
    exchanges_.pop_front();
    return exchange;
  }
  int64_t Count(HttpEvent event) const { return server_->counters().Get(event); }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Exchange>> exchanges_;
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
};

// Set by one thread, awaited by another.
class Flag {
 public:
  void Set() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  bool Wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return count_ > 0; });
  }
  int count() {
    const std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

constexpr std::string_view kGet = "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n";

TEST(HttpServerTest, AnswersRequestsOfOneConnectionInOrder) {
  TestServer server;
  Client client(server.port());
  client.Send(
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none"
      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "1\r\nt\r\n2;x=y\r\nwo\r\n0\r\nTrailer: z\r\n\r\n"
      "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const std::string all = client.ReadAll();
  EXPECT_THAT(all, StartsWith("HTTP/1.1 200 OK\r\nserver: tutti\r\ndate: "));
  EXPECT_THAT(all, HasSubstr("\r\n\r\nPOST oneHTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(all, HasSubstr("\r\n\r\nPOST twoHTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(all, HasSubstr("x-content-type-options: nosniff\r\n"));
  EXPECT_THAT(all, EndsWith("connection: close\r\n\r\nGET "));
}

TEST(HttpServerTest, AnswersFromAnotherThreadAndAfterTheHandlerHasReturned) {
  TestServer server;
  Client client(server.port());
  client.Send(kGet);
  const auto exchange = server.Next();
  ASSERT_NE(exchange, nullptr);
  exchange->AddHeader("x-ratelimit-remaining-requests", "7");
  exchange->Respond({201, {{"x-a", "b\r\nx-evil: 1"}, {"Content-Length", "99"}}, "made"});
  const std::string head = client.ReadUntil("\r\n\r\n");
  EXPECT_THAT(head, StartsWith("HTTP/1.1 201 Created\r\n"));
  EXPECT_THAT(head, HasSubstr("x-a: b  x-evil: 1\r\nx-ratelimit-remaining-requests: 7\r\n"));
  EXPECT_THAT(head, HasSubstr("content-length: 4\r\n"));
  EXPECT_THAT(head, Not(HasSubstr("length: 99")));
  EXPECT_EQ(client.ReadBytes(4), "made");
}

TEST(HttpServerTest, StreamsInChunks) {
  TestServer server;
  Client client(server.port());
  client.Send(kGet);
  const auto exchange = server.Next();
  ASSERT_NE(exchange, nullptr);
  exchange->Begin({200, {{"content-type", "text/event-stream"}}, ""});
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"), HasSubstr("transfer-encoding: chunked\r\n"));
  EXPECT_TRUE(exchange->Write("data: 1\n\n"));
  EXPECT_EQ(client.ReadUntil("\n\n\r\n"), "9\r\ndata: 1\n\n\r\n");
  EXPECT_TRUE(exchange->Write(std::string(20, 'x')));
  EXPECT_EQ(client.ReadBytes(26), "14\r\n" + std::string(20, 'x') + "\r\n");
  exchange->End();
  EXPECT_EQ(client.ReadBytes(5), "0\r\n\r\n");
  EXPECT_FALSE(exchange->Write("late"));
  client.Send("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("GET "), StartsWith("HTTP/1.1 200 OK"));
}

TEST(HttpServerTest, StreamsToOldClientsUntilTheConnectionEnds) {
  TestServer server;
  Client client(server.port());
  client.Send("GET /x HTTP/1.0\r\n\r\n");
  const auto exchange = server.Next();
  ASSERT_NE(exchange, nullptr);
  exchange->Begin({200, {}, "begin "});
  exchange->Write("end");
  exchange->End();
  const std::string all = client.ReadAll();
  EXPECT_THAT(all, Not(HasSubstr("chunked")));
  EXPECT_THAT(all, Not(HasSubstr("content-length")));
  EXPECT_THAT(all, EndsWith("connection: close\r\n\r\nbegin end"));
}

TEST(HttpServerTest, NamesEveryResponse) {
  TestServer server;
  Client client(server.port());
  client.Send("GET /echo HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine-7\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("GET "), HasSubstr("x-request-id: mine-7\r\n"));
  client.Send("GET /echo HTTP/1.1\r\nHost: a\r\nX-Request-Id: has space\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("GET "), HasSubstr("x-request-id: req_"));
  client.Send("GET /echo HTTP/1.1\r\nHost: a b\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"), HasSubstr("x-request-id: req_"));
}

TEST(HttpServerTest, RefusesInTheShapeThatClientsRead) {
  TestServer server;
  Client client(server.port());
  client.Send("GET /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
  const std::string all = client.ReadAll();
  EXPECT_THAT(all, StartsWith("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_THAT(all, HasSubstr("content-type: application/json\r\n"));
  EXPECT_THAT(all,
              EndsWith("{\"error\":{\"message\":\"more than one host header\",\"type\":"
                       "\"invalid_request_error\",\"param\":null,\"code\":\"invalid_http\"}}"));
}

TEST(HttpServerTest, AnUnansweredExchangeAnswers500) {
  TestServer server;
  Client client(server.port());
  client.Send(kGet);
  server.Next().reset();
  EXPECT_THAT(client.ReadUntil("\r\n"), StartsWith("HTTP/1.1 500 "));
}

TEST(HttpServerTest, AResponseThatNobodyEndsBreaksOff) {
  TestServer server;
  Client client(server.port());
  client.Send(kGet);
  auto exchange = server.Next();
  ASSERT_NE(exchange, nullptr);
  exchange->Begin({200, {}, "half"});
  EXPECT_THAT(client.ReadUntil("half\r\n"), EndsWith("4\r\nhalf\r\n"));
  exchange.reset();
  EXPECT_EQ(client.ReadAll(), "");
}

TEST(HttpServerTest, TheHandlerLearnsThatTheClientHasGone) {
  TestServer server;
  for (const bool streaming : {false, true}) {
    Client client(server.port());
    client.Send(kGet);
    const auto exchange = server.Next();
    ASSERT_NE(exchange, nullptr);
    if (streaming) {
      exchange->Begin({});
      client.ReadUntil("\r\n\r\n");
    }
    Flag gone;
    exchange->OnAbandoned([&] { gone.Set(); });
    client.Close();
    EXPECT_TRUE(gone.Wait());
    EXPECT_FALSE(exchange->Write("into the void"));
    EXPECT_EQ(gone.count(), 1);
    // Who asks later is told at once.
    Flag later;
    exchange->OnAbandoned([&] { later.Set(); });
    EXPECT_EQ(later.count(), 1);
  }
  EXPECT_EQ(server.Count(HttpEvent::kClientGone), 2);
}

TEST(HttpServerTest, WhoSendsNoMoreStillGetsHisAnswer) {
  TestServer server;
  for (const bool streaming : {false, true}) {
    Client client(server.port());
    client.Send(kGet);
    const auto exchange = server.Next();
    ASSERT_NE(exchange, nullptr);
    client.EndWriting();
    if (streaming) exchange->Begin({200, {}, "some of "});
    client.ReadUntil(streaming ? "some of \r\n0" : " 100 Continue\r\n\r\n");
    if (streaming) {
      EXPECT_TRUE(exchange->Write("it"));
      exchange->End();
    } else {
      exchange->Respond({200, {}, "it"});
    }
    EXPECT_THAT(client.ReadAll(), HasSubstr("it"));
  }
  EXPECT_EQ(server.Count(HttpEvent::kClientGone), 0);
}

TEST(HttpServerTest, GivesUpASlowReaderAndNobodyElse) {
  TestServer server;
  Client slow(server.port(), 4096);
  slow.Send(kGet);
  const auto slow_exchange = server.Next();
  ASSERT_NE(slow_exchange, nullptr);
  Flag gone;
  slow_exchange->OnAbandoned([&] { gone.Set(); });
  slow_exchange->Begin({});
  Client other(server.port());
  other.Send(kGet);
  const auto other_exchange = server.Next();
  ASSERT_NE(other_exchange, nullptr);
  other_exchange->Begin({});

  const std::string piece(4096, 'x');
  int64_t written = 0;
  while (slow_exchange->Write(piece)) {
    written += 4096;
    ASSERT_LT(written, 1 << 30);
  }
  EXPECT_TRUE(gone.Wait());
  // Its own buffer, at least; what sockets hold comes on top.
  EXPECT_GE(written, 256 * 1024);
  EXPECT_TRUE(other_exchange->Write("still here"));
  EXPECT_THAT(other.ReadUntil("still here"), EndsWith("still here"));
  slow.ReadAll();
  EXPECT_EQ(server.Count(HttpEvent::kSlowReader), 1);
}

TEST(HttpServerTest, RefusesBodiesBeforeReadingThem) {
  HttpOptions options;
  options.limits.body_bytes = 10;
  options.admit = [](HttpRequest& request) {
    Admission admission{.body_limit_bytes = 1000};
    if (request.path == "/closed") admission.answer = HttpResponse{401, {}, "no"};
    return admission;
  };
  TestServer server(options);
  {
    Client client(server.port());
    client.Send(
        "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n");
    EXPECT_THAT(client.ReadAll(), StartsWith("HTTP/1.1 413 "));
  }
  {
    Client client(server.port());
    client.Send(
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        "5\r\n12345\r\n6\r\n");
    EXPECT_THAT(client.ReadAll(), StartsWith("HTTP/1.1 413 "));
  }
  {
    Client client(server.port());
    client.Send("POST /closed HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n");
    EXPECT_THAT(client.ReadAll(), EndsWith("connection: close\r\n\r\nno"));
  }
  {
    Client client(server.port());
    client.Send(
        "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client.Send("hi");
    EXPECT_THAT(client.ReadUntil("POST hi"), StartsWith("HTTP/1.1 200 OK\r\n"));
  }
}

TEST(HttpServerTest, AnswersHeadWithoutABody) {
  TestServer server;
  Client client(server.port());
  client.Send("HEAD /echo HTTP/1.1\r\nHost: a\r\n\r\nGET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"), HasSubstr("content-length: 5\r\n"));
  EXPECT_THAT(client.ReadUntil("GET "), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST(HttpServerTest, LimitsConnectionsOfAnAddress) {
  HttpOptions options;
  options.connections_per_address = 1;
  TestServer server(options);
  Client first(server.port());
  first.Send("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
  first.ReadUntil("GET ");
  Client second(server.port());
  const std::string refused = second.ReadAll();
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_THAT(refused, HasSubstr("retry-after: 5\r\n"));
  EXPECT_THAT(refused, HasSubstr("connection: close\r\n"));
  EXPECT_THAT(refused, HasSubstr("too many connections"));
  EXPECT_EQ(server.Count(HttpEvent::kTooManyOfAddress), 1);
  first.Send("GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  first.ReadAll();
}

TEST(HttpServerTest, RaisesTheLimitOnOpenFilesToWhatItNeeds) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  if (before.rlim_max < 500) GTEST_SKIP() << "at most " << before.rlim_max << " files";
  const rlimit low{100, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  HttpOptions options;
  options.connections = 300;
  {
    const TestServer server(options);
    rlimit now{};
    getrlimit(RLIMIT_NOFILE, &now);
    EXPECT_GT(now.rlim_cur, 300);
    EXPECT_LE(now.rlim_cur, 500);
  }
  setrlimit(RLIMIT_NOFILE, &before);
}

TEST(HttpServerTest, DrainsWhatIsUnderWay) {
  TestServer server;
  Client idle(server.port());
  idle.Send("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
  idle.ReadUntil("GET ");
  Client waiting(server.port());
  waiting.Send(kGet);
  const auto waiting_exchange = server.Next();
  Client streaming(server.port());
  streaming.Send(kGet);
  const auto streaming_exchange = server.Next();
  ASSERT_TRUE(waiting_exchange && streaming_exchange);
  streaming_exchange->Begin({});
  streaming.ReadUntil("\r\n\r\n");

  server.server().Drain(std::chrono::hours(1));
  EXPECT_EQ(idle.ReadAll(), "");
  EXPECT_TRUE(streaming_exchange->Write("last"));
  streaming_exchange->End();
  EXPECT_EQ(streaming.ReadUntil("0\r\n\r\n"), "4\r\nlast\r\n0\r\n\r\n");
  streaming.Close();
  waiting_exchange->Respond({200, {}, "done"});
  EXPECT_THAT(waiting.ReadUntil("done"), EndsWith("connection: close\r\n\r\ndone"));
  waiting.Close();
  server.WaitUntilEnded();
  EXPECT_EQ(server.server().counters().open_connections.load(), 0);
}

TEST(HttpServerTest, DrainingEndsAtItsLimit) {
  HttpOptions options;
  options.threads = 2;
  TestServer server(options);
  Client client(server.port());
  client.Send(kGet);
  const auto exchange = server.Next();
  ASSERT_NE(exchange, nullptr);
  Flag gone;
  exchange->OnAbandoned([&] { gone.Set(); });
  server.server().Drain(milliseconds(1));
  server.WaitUntilEnded();
  EXPECT_EQ(gone.count(), 1);
}

TEST(HttpServerTest, AnExchangeMayOutliveTheServer) {
  std::shared_ptr<Exchange> exchange;
  {
    TestServer server;
    Client client(server.port());
    client.Send(kGet);
    exchange = server.Next();
    ASSERT_NE(exchange, nullptr);
    exchange->Begin({});
  }
  EXPECT_FALSE(exchange->Write("nobody"));
  exchange->End();
}

TEST(HttpServerTest, SaysWhatItHasBoundAndWhatItCannot) {
  HttpOptions options;
  options.host = "127.0.0.1";
  TestServer server(options);
  EXPECT_THAT(server.server().addresses(),
              ::testing::ElementsAre(fmt::format("127.0.0.1:{}", server.port())));
  HttpOptions same;
  same.port = server.port();
  const auto second = HttpServer::Create(same, [](std::shared_ptr<Exchange>) {});
  EXPECT_EQ(second.status().code(), StatusCode::kIo);
  HttpOptions nowhere;
  nowhere.host = "no such host";
  EXPECT_EQ(HttpServer::Create(nowhere, [](std::shared_ptr<Exchange>) {}).status().code(),
            StatusCode::kUsage);
}

}  // namespace
}  // namespace tutti::server
