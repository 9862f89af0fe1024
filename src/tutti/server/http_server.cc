#include "tutti/server/http_server.h"

#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <mutex>
#include <random>
#include <thread>
#include <unordered_map>
#include <utility>

#include "tutti/server/error_response.h"
#include "tutti/server/http_connection.h"
#include "tutti/server/http_response.h"
#include "tutti/server/http_tls.h"

namespace tutti::server {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr int kReservedFiles = 128;       // of the process, not for connections
constexpr int kAcceptAtOnce = 64;         // before others have a turn
constexpr int kUnsentBytes = 128 * 1024;  // in the kernel, per connection
constexpr std::chrono::milliseconds kAcceptPause{50};

// How many connections each address has.
class AddressBook {
 public:
  bool Enter(const std::string& address, int limit) {
    const std::lock_guard lock(mutex_);
    int& count = counts_[address];
    if (count >= limit) return false;
    ++count;
    return true;
  }
  void Leave(const std::string& address) {
    const std::lock_guard lock(mutex_);
    const auto entry = counts_.find(address);
    if (entry != counts_.end() && --entry->second == 0) counts_.erase(entry);
  }

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, int> counts_;
};

// Who is behind an address as far as limits go: a customer of IPv6 has a whole /64.
std::string LimitedAddress(const asio::ip::address& address) {
  if (address.is_v4()) return address.to_string();
  const asio::ip::address_v6 v6 = address.to_v6();
  if (v6.is_v4_mapped()) return asio::ip::make_address_v4(asio::ip::v4_mapped, v6).to_string();
  const auto bytes = v6.to_bytes();
  return std::string(bytes.begin(), bytes.begin() + 8);
}

std::string Text(const asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
  }
  return address.to_string();
}

uint64_t RandomSeed() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32) | device();
}

// One thread and its connections. Shared by the server and by the wakes of exchanges, which may
// outlive it.
class Worker : public std::enable_shared_from_this<Worker> {
 public:
  Worker(const HttpOptions& options, const HttpHandler& handler, HttpCounters* counters,
         std::shared_ptr<AddressBook> addresses, std::function<void()> drained)
      : addresses_(std::move(addresses)), drained_(std::move(drained)), clock_(context_) {
    environment_.options = options;
    environment_.handler = handler;
    environment_.counters = counters;
    environment_.ids = Rng(RandomSeed());
  }

  // Before Run().
  void Start() {
    environment_.make_wake = [weak = weak_from_this()](uint64_t number) {
      return [weak, number] {
        if (const auto worker = weak.lock()) worker->Wake(number);
      };
    };
    Tick();
  }
  asio::io_context& context() { return context_; }
  void Run() { context_.run(); }

  // The remaining ones on the worker's thread only.
  void Add(tcp::socket socket, std::string address, std::string limited_address,
           const TlsContext* tls) {
    const uint64_t number = ++last_number_;
    const int fd = socket.native_handle();
    auto stream = tls == nullptr ? MakePlainStream(fd) : tls->MakeStream(fd);
    const auto [entry, added] = connections_.try_emplace(
        number, number, std::move(socket), std::move(stream), std::move(address),
        std::move(limited_address), &environment_, Now());
    Advance(&entry->second);
  }

  void Drain() {
    environment_.draining = true;
    std::vector<uint64_t> numbers;
    for (auto& [number, attached] : connections_) numbers.push_back(number);
    for (const uint64_t number : numbers) {
      Attached* attached = Find(number);
      if (attached == nullptr) continue;
      attached->connection.Drain(Now());
      if (attached->connection.closed()) Remove(attached);
    }
    EndIfDrained();
  }

  void Stop() {
    environment_.draining = true;
    while (!connections_.empty()) Remove(&connections_.begin()->second);
    EndIfDrained();
    context_.stop();
  }

  // After Run(), or without it.
  void Clear() {
    drained_ = nullptr;
    while (!connections_.empty()) Remove(&connections_.begin()->second);
  }

 private:
  struct Attached {
    Attached(uint64_t its_number, tcp::socket its_socket, std::unique_ptr<ByteStream> stream,
             std::string address, std::string its_limited_address,
             ConnectionEnvironment* environment, TimePoint now)
        : number(its_number),
          socket(std::move(its_socket)),
          timer(socket.get_executor()),
          limited_address(std::move(its_limited_address)),
          connection(number, std::move(stream), std::move(address), environment, now) {}
    const uint64_t number;
    tcp::socket socket;
    asio::steady_timer timer;
    TimePoint timer_at = TimePoint::max();
    bool reading = false;
    bool writing = false;
    const std::string limited_address;
    HttpConnection connection;  // goes before its socket
  };

  static TimePoint Now() { return std::chrono::steady_clock::now(); }

  Attached* Find(uint64_t number) {
    const auto entry = connections_.find(number);
    return entry == connections_.end() ? nullptr : &entry->second;
  }

  // From any thread: one post for all that is woken until it runs.
  void Wake(uint64_t number) {
    {
      const std::lock_guard lock(wake_mutex_);
      woken_.push_back(number);
      if (woken_.size() > 1) return;
    }
    asio::post(context_, [this] { AdvanceWoken(); });
  }

  void AdvanceWoken() {
    std::vector<uint64_t> numbers;
    {
      const std::lock_guard lock(wake_mutex_);
      numbers.swap(woken_);
    }
    for (const uint64_t number : numbers) Advance(Find(number));
  }

  void Advance(Attached* attached) {
    if (attached == nullptr) return;
    attached->connection.Advance(Now());
    if (attached->connection.closed()) return Remove(attached);
    Await(attached);
  }

  void Await(Attached* attached) {
    const HttpConnection& connection = attached->connection;
    const uint64_t number = attached->number;
    if (connection.yielded()) {
      asio::post(context_, [this, number] { Advance(Find(number)); });
    }
    if (connection.wants_read() && !attached->reading) {
      attached->reading = true;
      attached->socket.async_wait(tcp::socket::wait_read, [this, number](const error_code&) {
        if (Attached* found = Find(number)) {
          found->reading = false;
          Advance(found);
        }
      });
    }
    if (connection.wants_write() && !attached->writing) {
      attached->writing = true;
      attached->socket.async_wait(tcp::socket::wait_write, [this, number](const error_code&) {
        if (Attached* found = Find(number)) {
          found->writing = false;
          Advance(found);
        }
      });
    }
    AwaitDeadline(attached);
  }

  // A deadline that moves away leaves the timer as it is; it is set anew when it fires.
  void AwaitDeadline(Attached* attached) {
    const TimePoint deadline = attached->connection.deadline();
    if (deadline >= attached->timer_at) return;
    attached->timer_at = deadline;
    attached->timer.expires_at(deadline);
    attached->timer.async_wait([this, number = attached->number](const error_code& error) {
      Attached* found = Find(number);
      if (error || found == nullptr) return;
      found->timer_at = TimePoint::max();
      Advance(found);
    });
  }

  void Remove(Attached* attached) {
    addresses_->Leave(attached->limited_address);
    environment_.counters->open_connections.fetch_sub(1);
    connections_.erase(attached->number);
    EndIfDrained();
  }

  void EndIfDrained() {
    if (!environment_.draining || !connections_.empty() || !drained_) return;
    clock_.cancel();
    guard_.reset();
    std::exchange(drained_, nullptr)();
  }

  // The Date of responses.
  void Tick() {
    const auto now = std::chrono::system_clock::now();
    const int64_t unix_s =
        std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    environment_.date = HttpDate(unix_s);
    clock_.expires_after(std::chrono::milliseconds(500));
    clock_.async_wait([this](const error_code& error) {
      if (!error) Tick();
    });
  }

  // Last: what it still has to call uses everything else.
  std::shared_ptr<AddressBook> addresses_;  // shared with other workers and the acceptor
  std::function<void()> drained_;           // called once
  ConnectionEnvironment environment_;
  uint64_t last_number_ = 0;
  std::mutex wake_mutex_;
  std::vector<uint64_t> woken_;
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard_{context_.get_executor()};
  asio::steady_timer clock_;
  std::unordered_map<uint64_t, Attached> connections_;
};

Result<std::vector<tcp::endpoint>> Resolve(const HttpOptions& options) {
  asio::io_context context;
  error_code error;
  tcp::resolver resolver(context);
  const auto found =
      resolver.resolve(options.host, std::to_string(options.port),
                       tcp::resolver::passive | tcp::resolver::numeric_service, error);
  if (error || found.empty()) {
    return Error(StatusCode::kUsage,
                 "--host {}: {}: give an address of this machine or a name of one", options.host,
                 error.message());
  }
  std::vector<tcp::endpoint> endpoints;
  for (const auto& entry : found) {
    if (std::find(endpoints.begin(), endpoints.end(), entry.endpoint()) == endpoints.end()) {
      endpoints.push_back(entry.endpoint());
    }
  }
  return endpoints;
}

// The connections that the limit on open files leaves room for, after it was raised as far as the
// system lets a process raise it.
int PossibleConnections(int wanted) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
  const auto needed = static_cast<rlim_t>(wanted) + kReservedFiles;
  if (limit.rlim_cur < needed) {
    const rlimit raised{std::min(limit.rlim_max, needed), limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  if (limit.rlim_cur >= needed) return wanted;
  return std::max(1, static_cast<int>(limit.rlim_cur) - kReservedFiles);
}

}  // namespace

class HttpServer::Impl {
 public:
  Impl(HttpOptions options, const HttpHandler& handler)
      : options_(std::move(options)),
        addresses_(std::make_shared<AddressBook>()),
        undrained_(options_.threads),
        workers_(MakeWorkers(handler)),
        drain_timer_(workers_.front()->context()) {}

  ~Impl() {
    for (const auto& worker : workers_) worker->Clear();
  }

  Status Bind() {
    TUTTI_ASSIGN_OR_RETURN(const std::vector<tcp::endpoint> endpoints, Resolve(options_));
    Status status;
    for (tcp::endpoint endpoint : endpoints) {
      if (!acceptors_.empty()) endpoint.port(port());  // all the same where any was asked for
      status = BindOne(endpoint);
      if (!status.ok() && acceptors_.empty()) return status;
    }
    return {};
  }

  Status LoadTls() {
    if (options_.tls_certificate.empty() != options_.tls_key.empty()) {
      return UsageError("TLS needs both a certificate and its key");
    }
    if (options_.tls_key.empty()) return {};
    TUTTI_ASSIGN_OR_RETURN(tls_, TlsContext::Load(options_.tls_certificate, options_.tls_key));
    return {};
  }
  Status ReloadTls() {
    if (tls_ == nullptr) return UsageError("this server has no certificate");
    return tls_->Reload();
  }

  uint16_t port() const { return bound_.front().port(); }
  const std::vector<tcp::endpoint>& bound() const { return bound_; }
  const HttpCounters& counters() const { return counters_; }

  void Run() {
    for (Acceptor& acceptor : acceptors_) Accept(&acceptor);
    std::vector<std::thread> threads;
    for (size_t i = 1; i < workers_.size(); ++i) {
      threads.emplace_back([worker = workers_[i]] { worker->Run(); });
    }
    workers_[0]->Run();
    for (std::thread& thread : threads) thread.join();
  }

  void Drain(std::chrono::milliseconds limit) {
    asio::post(workers_[0]->context(), [this, limit] {
      for (Acceptor& acceptor : acceptors_) Close(&acceptor);
      drain_timer_.expires_after(limit);
      drain_timer_.async_wait([this](const error_code& error) {
        if (!error) Stop();
      });
      // Workers are told after the acceptors are closed, so nothing is added any more.
      for (const auto& worker : workers_) {
        asio::post(worker->context(), [to = worker.get()] { to->Drain(); });
      }
    });
  }

  void Stop() {
    asio::post(workers_[0]->context(), [this] {
      for (Acceptor& acceptor : acceptors_) Close(&acceptor);
      for (const auto& worker : workers_) {
        // A pointer: a worker that has ended would keep itself alive in its own queue.
        asio::post(worker->context(), [to = worker.get()] { to->Stop(); });
      }
    });
  }

 private:
  struct Acceptor {
    explicit Acceptor(asio::io_context& context) : socket(context), pause(context) {}
    tcp::acceptor socket;
    asio::steady_timer pause;
  };

  Status BindOne(const tcp::endpoint& endpoint) {
    Acceptor acceptor(workers_[0]->context());
    error_code error;
    const auto step = [&](auto&& call) {
      if (!error) call();
    };
    step([&] { acceptor.socket.open(endpoint.protocol(), error); });
    step([&] { acceptor.socket.set_option(tcp::acceptor::reuse_address(true), error); });
    if (endpoint.address().is_v6()) {
      const bool all = endpoint.address().is_unspecified();
      step([&] { acceptor.socket.set_option(asio::ip::v6_only(!all), error); });
    }
    step([&] { acceptor.socket.bind(endpoint, error); });
    step([&] { acceptor.socket.listen(4096, error); });
    step([&] { acceptor.socket.non_blocking(true, error); });
    if (error) {
      return Error(StatusCode::kIo, "{}:{}: {}: choose another --host or --port", options_.host,
                   options_.port, error.message());
    }
    bound_.push_back(acceptor.socket.local_endpoint());
    acceptors_.push_back(std::move(acceptor));
    return {};
  }

  std::vector<std::shared_ptr<Worker>> MakeWorkers(const HttpHandler& handler) {
    options_.connections = PossibleConnections(options_.connections);
    std::vector<std::shared_ptr<Worker>> workers;
    for (int i = 0; i < options_.threads; ++i) {
      workers.push_back(std::make_shared<Worker>(options_, handler, &counters_, addresses_,
                                                 [this] { WorkerDrained(); }));
      workers.back()->Start();
    }
    return workers;
  }

  // Called on its thread.
  void WorkerDrained() {
    if (undrained_.fetch_sub(1) == 1) {
      asio::post(workers_[0]->context(), [this] { drain_timer_.cancel(); });
    }
  }

  void Close(Acceptor* acceptor) {
    error_code ignored;
    acceptor->socket.close(ignored);
    acceptor->pause.cancel();
  }

  void Accept(Acceptor* acceptor) {
    acceptor->socket.async_wait(tcp::acceptor::wait_read,
                                [this, acceptor](const error_code& error) {
                                  if (error) return;
                                  for (int i = 0; i < kAcceptAtOnce; ++i) {
                                    if (!AcceptOne(acceptor)) return;
                                  }
                                  Accept(acceptor);
                                });
  }

  // False where Accept() is not to be called: it already was, or will be.
  bool AcceptOne(Acceptor* acceptor) {
    Worker& worker = *workers_[next_worker_];
    tcp::endpoint remote;
    error_code error;
    tcp::socket socket = acceptor->socket.accept(worker.context(), remote, error);
    if (error == asio::error::would_block || error == asio::error::try_again) {
      Accept(acceptor);
      return false;
    }
    if (error == asio::error::connection_aborted || error == asio::error::interrupted) return true;
    if (error) {
      // No files or no memory: others end some time.
      acceptor->pause.expires_after(kAcceptPause);
      acceptor->pause.async_wait([this, acceptor](const error_code& cancelled) {
        if (!cancelled) Accept(acceptor);
      });
      return false;
    }
    counters_.Count(HttpEvent::kConnection);
    if (counters_.open_connections.load() >= options_.connections) {
      counters_.Count(HttpEvent::kTooManyConnections);
      TurnAway(socket);
      return true;
    }
    std::string limited = LimitedAddress(remote.address());
    if (!addresses_->Enter(limited, options_.connections_per_address)) {
      counters_.Count(HttpEvent::kTooManyOfAddress);
      TurnAway(socket);
      return true;
    }
    counters_.open_connections.fetch_add(1);
    next_worker_ = (next_worker_ + 1) % workers_.size();
    socket.set_option(tcp::no_delay(true), error);
    // What the client has not read stays here, where it is counted, instead of in the kernel.
    setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsentBytes,
               sizeof(kUnsentBytes));
    asio::post(worker.context(),
               [&worker, tls = tls_.get(), socket = std::move(socket),
                address = Text(remote.address()), limited = std::move(limited)]() mutable {
                 worker.Add(std::move(socket), std::move(address), std::move(limited), tls);
               });
    return true;
  }

  // Without waiting for anything. A client whose request is on its way may see a reset first.
  void TurnAway(tcp::socket& socket) {
    if (tls_ != nullptr) return;  // a handshake is what there is no room for
    const HttpResponse response =
        RefusalResponse({503, "overloaded", "too many connections: try again later"}, {});
    const std::string id = fmt::format("req_refused_{}", ++turned_away_);
    const std::string date =
        HttpDate(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()));
    std::string text;
    AppendHead(response, {}, {.close = true, .id = id, .date = date}, &text);
    text += response.body;
    const int fd = socket.native_handle();
    (void)!::send(fd, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    ::shutdown(fd, SHUT_WR);
  }

  HttpOptions options_;
  HttpCounters counters_;
  int64_t turned_away_ = 0;
  std::shared_ptr<AddressBook> addresses_;  // shared with the workers
  std::unique_ptr<TlsContext> tls_;         // null: plain
  std::atomic<int> undrained_;
  std::vector<std::shared_ptr<Worker>> workers_;  // shared with the wakes of exchanges
  std::vector<Acceptor> acceptors_;
  std::vector<tcp::endpoint> bound_;
  size_t next_worker_ = 0;
  asio::steady_timer drain_timer_;
};

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;

Result<std::unique_ptr<HttpServer>> HttpServer::Create(HttpOptions options, HttpHandler handler) {
  if (options.threads < 1 || options.threads > 64) {
    return UsageError("a server has 1 to 64 threads, not {}", options.threads);
  }
  auto impl = std::make_unique<Impl>(std::move(options), std::move(handler));
  TUTTI_RETURN_IF_ERROR(impl->LoadTls());
  TUTTI_RETURN_IF_ERROR(impl->Bind());
  return std::make_unique<HttpServer>(std::move(impl));
}

uint16_t HttpServer::port() const { return impl_->port(); }
std::vector<std::string> HttpServer::addresses() const {
  std::vector<std::string> texts;
  for (const tcp::endpoint& endpoint : impl_->bound()) {
    const std::string address = endpoint.address().to_string();
    texts.push_back(endpoint.address().is_v6() ? fmt::format("[{}]:{}", address, endpoint.port())
                                               : fmt::format("{}:{}", address, endpoint.port()));
  }
  return texts;
}
void HttpServer::Run() { impl_->Run(); }
void HttpServer::Drain(std::chrono::milliseconds limit) { impl_->Drain(limit); }
void HttpServer::Stop() { impl_->Stop(); }
Status HttpServer::ReloadTls() { return impl_->ReloadTls(); }
const HttpCounters& HttpServer::counters() const { return impl_->counters(); }

}  // namespace tutti::server
