// What the server itself costs: tiny chat requests per second through sockets, routes, JSON,
// template, tokenizer and scheduler, with an engine that computes nothing.
//
//   build/release/bench/bench_overhead [clients] [requests of each]
//
// Clients and server share the machine. Every answer is checked before it is counted.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "tests/server/fake_model.h"
#include "tutti/server/front_door.h"
#include "tutti/server/http_server.h"
#include "tutti/server/routes.h"
#include "tutti/server/service.h"

namespace tutti::server {
namespace {

constexpr std::string_view kBody =
    R"({"model":"fake","messages":[{"role":"user","content":"Hello"}],"max_tokens":4,)"
    R"("temperature":0,"ignore_eos":true})";

// One connection that asks again and again; counts good answers.
int64_t Ask(uint16_t port, int requests) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int one = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return 0;
  const std::string request = fmt::format(
      "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Content-Length: {}\r\n\r\n{}",
      kBody.size(), kBody);
  int64_t good = 0;
  std::string answer;
  for (int i = 0; i < requests; ++i) {
    if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) < 0) break;
    answer.clear();
    // The document ends with its usage, the only place where "reasoning_tokens" stands.
    while (answer.find("\"reasoning_tokens\"") == std::string::npos) {
      char buffer[8192];
      const ssize_t size = ::recv(fd, buffer, sizeof(buffer), 0);
      if (size <= 0) break;
      answer.append(buffer, static_cast<size_t>(size));
    }
    good +=
        answer.starts_with("HTTP/1.1 200") && answer.find("\"completion_tokens\":4") != answer.npos;
  }
  ::close(fd);
  return good;
}

int Measure(int clients, int requests) {
  testing::FakeModel fake = testing::MakeFakeModel(256, {}, 1 << 14);
  HostedModel hosted = std::move(fake.hosted);
  std::vector<ModelSource> sources(1);
  sources[0].name = "fake";
  sources[0].load = [&] { return Result<HostedModel>(std::move(hosted)); };
  Models models(std::move(sources), {});
  if (!models.Get("fake").ok()) return 1;
  Workers workers(2);
  Service service(models, workers, {.version = "bench"});
  auto origins = OriginRules::Create({});
  if (!origins.ok()) return 1;
  const FrontDoor door(MakeRouter(service), std::move(origins).value(), nullptr);
  HttpOptions options;
  options.port = 0;
  options.admit = [&](HttpRequest& request) { return door.Admit(request); };
  auto http = HttpServer::Create(options, [&](auto exchange) { door.Handle(std::move(exchange)); });
  if (!http.ok()) return 1;
  std::thread transport([&] { (*http)->Run(); });
  std::vector<int64_t> good(static_cast<size_t>(clients));
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::thread> threads;
  for (int64_t& count : good) {
    threads.emplace_back(
        [&count, requests, port = (*http)->port()] { count = Ask(port, requests); });
  }
  for (std::thread& thread : threads) thread.join();
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  (*http)->Stop();
  transport.join();
  workers.Stop();
  int64_t all = 0;
  for (const int64_t count : good) all += count;
  std::printf("%d clients, %lld of %d answers right, %.0f requests/s\n", clients,
              static_cast<long long>(all), clients * requests,
              static_cast<double>(all) / time.count());
  return all == int64_t{clients} * requests ? 0 : 1;
}

}  // namespace
}  // namespace tutti::server

int main(int argc, char** argv) {
  const int clients = argc > 1 ? std::stoi(argv[1]) : 16;
  const int requests = argc > 2 ? std::stoi(argv[2]) : 500;
  return tutti::server::Measure(clients, requests);
}
