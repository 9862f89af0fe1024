// The server's transport: sockets, threads and limits around HttpConnection.
//
//   TUTTI_ASSIGN_OR_RETURN(auto server, HttpServer::Create(options, handler));
//   server->Run();  // returns after Drain() or Stop()
//
// Each of `options.threads` threads owns its connections; a handler that blocks stops those of one
// thread. SIGPIPE never comes from here. The process's limit on open files is raised to what
// HttpOptions::connections needs, as far as the system allows.
//
// Threads: Run by one; everything else by any. Errors: kIo where an address cannot be bound, kUsage
// where options do not fit together.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tutti/base/status.h"
#include "tutti/server/http.h"
#include "tutti/server/http_options.h"

namespace tutti::server {

class HttpServer {
  class Impl;

 public:
  // Binds and listens: clients may connect from now on, and are answered once Run() runs.
  static Result<std::unique_ptr<HttpServer>> Create(HttpOptions options, HttpHandler handler);
  explicit HttpServer(std::unique_ptr<Impl> impl);  // for Create
  ~HttpServer();                                    // after Run() has returned, or without it

  uint16_t port() const;
  // "127.0.0.1:8080", "[::1]:8080"; what is bound.
  std::vector<std::string> addresses() const;

  void Run();
  // No new connections; idle ones end; requests under way are answered. Run() returns when all are,
  // or after `limit`, when the rest is broken off.
  void Drain(std::chrono::milliseconds limit);
  // Breaks everything off.
  void Stop();

  // Certificate and key are read again, for connections that begin from now on. On an error
  // nothing changes; kUsage where the server speaks no TLS.
  Status ReloadTls();

  const HttpCounters& counters() const;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace tutti::server
