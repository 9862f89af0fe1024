// What many connections cost the transport, on loopback, without a model (goals R2 and R3):
//
//   bench_connections [IDLE [STREAMS [EVENTS_PER_S]]]      default 10000 4000 20000
//
// A child process serves. First IDLE connections are opened, half of them after a request (idle),
// half with half a request (half-open): the latency of /health beside them and the memory they
// cost. Then STREAMS streams of server-sent events: the processor time of the transport's thread
// and, beside it, of the thread that writes the events, and whether all arrive in time.
//
// A process may need `ulimit -n` for it. It takes about half a minute.
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tutti/server/http_server.h"

namespace {

using namespace tutti::server;
using Clock = std::chrono::steady_clock;

constexpr int kMeasureSeconds = 8;
constexpr std::string_view kMarker = "data: ";

double Seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

// --- the server's process

class Streams {
 public:
  void Add(std::shared_ptr<Exchange> exchange) {
    exchange->Begin({200, {{"content-type", "text/event-stream"}}, ""});
    const std::lock_guard lock(mutex_);
    exchanges_.push_back(std::move(exchange));
  }
  // Writes to some of the streams in turns, so that all together get `events_per_s`.
  void Write(int events_per_s) {
    const std::string event =
        std::string(kMarker) +
        R"({"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m",)"
        R"("choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}]})"
        "\n\n";
    Clock::time_point next = Clock::now();
    for (size_t at = 0;;) {
      next += std::chrono::milliseconds(10);
      std::this_thread::sleep_until(next);
      const std::lock_guard lock(mutex_);
      for (int i = 0; i < events_per_s / 100 && !exchanges_.empty(); ++i) {
        at = (at + 1) % exchanges_.size();
        if (!exchanges_[at]->Write(event)) {
          exchanges_.erase(exchanges_.begin() + static_cast<std::ptrdiff_t>(at));
        }
      }
    }
  }

 private:
  std::mutex mutex_;
  std::vector<std::shared_ptr<Exchange>> exchanges_;
};

[[noreturn]] void Serve(int report, int events_per_s) {
  Streams streams;
  HttpOptions options;
  options.port = 0;
  options.connections_per_address = 1 << 20;
  auto server = HttpServer::Create(options, [&](std::shared_ptr<Exchange> exchange) {
    if (exchange->request().path == "/stream") return streams.Add(std::move(exchange));
    exchange->Respond({200, {{"content-type", "application/json"}}, R"({"status":"ok"})"});
  });
  TUTTI_CHECK(server.ok(), server.status().message());
  std::thread writer([&] { streams.Write(events_per_s); });
  const int port = (*server)->port();
  TUTTI_CHECK(write(report, &port, sizeof(port)) == sizeof(port), "the parent has gone");
  (*server)->Run();
  __builtin_trap();
}

// --- the clients' process

struct Server {
  pid_t pid;
  int port;
  // Memory that is the process's own, in bytes.
  int64_t Memory() const {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    int64_t kib = 0;
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("RssAnon:") || line.starts_with("VmSwap:")) {
        kib += std::strtoll(line.c_str() + 9, nullptr, 10);
      }
    }
    return kib * 1024;
  }
  // Of the main thread (transport), and of the whole process.
  double TransportSeconds() const {
    return CpuSeconds("/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/stat");
  }
  double AllSeconds() const { return CpuSeconds("/proc/" + std::to_string(pid) + "/stat"); }

 private:
  static double CpuSeconds(const std::string& path) {
    std::ifstream file(path);
    std::string text((std::istreambuf_iterator<char>(file)), {});
    text = text.substr(text.rfind(')') + 2);
    int64_t user = 0;
    int64_t system = 0;
    // "S ppid pgrp session tty tpgid flags minflt cminflt majflt cmajflt utime stime"
    size_t at = 0;
    for (int field = 0; field < 11; ++field) at = text.find(' ', at) + 1;
    char* end = nullptr;
    user = std::strtoll(text.c_str() + at, &end, 10);
    system = std::strtoll(end, nullptr, 10);
    return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
  }
};

int Connect(const Server& server) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(server.port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool connected =
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  TUTTI_CHECK(connected, std::strerror(errno));
  return fd;
}

void Send(int fd, std::string_view text) {
  TUTTI_CHECK(send(fd, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()),
              "a request is sent");
}

std::string_view Receive(int fd, std::array<char, 65536>& buffer) {
  const ssize_t bytes = recv(fd, buffer.data(), buffer.size(), 0);
  TUTTI_CHECK(bytes > 0, "the server answers");
  return {buffer.data(), static_cast<size_t>(bytes)};
}

constexpr std::string_view kHealth = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";

// Milliseconds of one request, on a connection of its own where fd is negative.
double Health(const Server& server, int fd) {
  static std::array<char, 65536> buffer;
  const Clock::time_point begin = Clock::now();
  const int used = fd < 0 ? Connect(server) : fd;
  Send(used, kHealth);
  TUTTI_CHECK(Receive(used, buffer).starts_with("HTTP/1.1 200"), "health is well");
  const double ms = Seconds(Clock::now() - begin) * 1000;
  if (fd < 0) close(used);
  return ms;
}

void PrintLatencies(const char* what, std::vector<double> ms) {
  std::sort(ms.begin(), ms.end());
  const auto at = [&](double share) {
    return ms[static_cast<size_t>(share * static_cast<double>(ms.size() - 1))];
  };
  std::printf("%-48s p50 %.3f ms, p99 %.3f ms, largest %.3f ms (%zu requests)\n", what, at(0.5),
              at(0.99), ms.back(), ms.size());
}

void MeasureHealth(const Server& server, const std::string& beside) {
  std::vector<double> fresh;
  std::vector<double> kept;
  const int fd = Connect(server);
  const Clock::time_point end = Clock::now() + std::chrono::seconds(kMeasureSeconds / 2);
  while (Clock::now() < end) {
    fresh.push_back(Health(server, -1));
    kept.push_back(Health(server, fd));
    std::this_thread::sleep_for(std::chrono::microseconds(500));
  }
  close(fd);
  PrintLatencies(("/health beside " + beside + ", connecting").c_str(), fresh);
  PrintLatencies(("/health beside " + beside + ", connected").c_str(), kept);
}

void MeasureIdle(const Server& server, int connections) {
  MeasureHealth(server, "nothing");
  const int64_t before = server.Memory();
  std::vector<int> fds;
  std::array<char, 65536> buffer;
  for (int i = 0; i < connections; ++i) {
    fds.push_back(Connect(server));
    if (i % 2 == 0) {
      Send(fds.back(), kHealth);
      Receive(fds.back(), buffer);
    } else {
      Send(fds.back(), kHealth.substr(0, 30));
    }
  }
  const int64_t after = server.Memory();
  std::printf("%d idle and half-open connections: %.1f MB more memory, %.2f KB each\n", connections,
              static_cast<double>(after - before) / 1e6,
              static_cast<double>(after - before) / 1e3 / connections);
  const double cpu = server.AllSeconds();
  const Clock::time_point begin = Clock::now();
  MeasureHealth(server, std::to_string(connections));
  std::printf("processor time of the server meanwhile: %.1f %% of one core\n",
              100 * (server.AllSeconds() - cpu) / Seconds(Clock::now() - begin));
  for (const int fd : fds) close(fd);
}

void MeasureStreams(const Server& server, int streams, int events_per_s) {
  const int64_t before = server.Memory();
  const int poll = epoll_create1(0);
  for (int i = 0; i < streams; ++i) {
    const int fd = Connect(server);
    Send(fd, "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
    fcntl(fd, F_SETFL, O_NONBLOCK);
    epoll_event event{EPOLLIN, {.fd = fd}};
    epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
  }
  std::array<char, 65536> buffer;
  std::array<epoll_event, 256> ready;
  const auto receive_for = [&](double seconds) {
    int64_t events = 0;
    const Clock::time_point begin = Clock::now();
    while (Seconds(Clock::now() - begin) < seconds) {
      const int count = epoll_wait(poll, ready.data(), static_cast<int>(ready.size()), 10);
      for (int i = 0; i < count; ++i) {
        const ssize_t bytes = recv(ready[i].data.fd, buffer.data(), buffer.size(), 0);
        TUTTI_CHECK(bytes > 0, "a stream goes on");
        const std::string_view text(buffer.data(), static_cast<size_t>(bytes));
        for (size_t at = 0; (at = text.find(kMarker, at)) != text.npos; ++at) ++events;
      }
    }
    return events;
  };
  receive_for(2);
  const double transport = server.TransportSeconds();
  const double all = server.AllSeconds();
  const Clock::time_point begin = Clock::now();
  const int64_t events = receive_for(kMeasureSeconds);
  const double wall = Seconds(Clock::now() - begin);
  const double transport_share = 100 * (server.TransportSeconds() - transport) / wall;
  std::printf(
      "%d streams: %.0f of %d events/s received; transport %.1f %% of one core, the thread "
      "that writes the events %.1f %%; %.1f MB more memory\n",
      streams, static_cast<double>(events) / wall, events_per_s, transport_share,
      100 * (server.AllSeconds() - all) / wall - transport_share,
      static_cast<double>(server.Memory() - before) / 1e6);
}

}  // namespace

int main(int argc, char** argv) {
  const auto number = [&](int index, int value) {
    return argc > index ? static_cast<int>(std::strtol(argv[index], nullptr, 10)) : value;
  };
  const int idle = number(1, 10'000);
  const int streams = number(2, 4'000);
  const int events_per_s = number(3, 20'000);
  std::array<int, 2> report;
  TUTTI_CHECK(pipe(report.data()) == 0, "a pipe");
  Server server{};
  server.pid = fork();
  if (server.pid == 0) Serve(report[1], events_per_s);
  TUTTI_CHECK(read(report[0], &server.port, sizeof(server.port)) == sizeof(server.port),
              "the server starts");
  if (idle > 0) MeasureIdle(server, idle);
  if (streams > 0) MeasureStreams(server, streams, events_per_s);
  kill(server.pid, SIGKILL);
  waitpid(server.pid, nullptr, 0);
  return 0;
}
