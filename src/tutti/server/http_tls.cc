#include "tutti/server/http_tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <string>
#include <utility>

namespace tutti::server {
namespace {

// OpenSSL's own socket BIO raises SIGPIPE where the client has gone.
int SocketWrite(BIO* bio, const char* data, int bytes) {
  BIO_clear_retry_flags(bio);
  const auto fd = static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio)));
  const ssize_t sent = ::send(fd, data, static_cast<size_t>(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS)) {
    BIO_set_retry_write(bio);
  }
  return static_cast<int>(sent);
}

int SocketRead(BIO* bio, char* data, int bytes) {
  BIO_clear_retry_flags(bio);
  const auto fd = static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio)));
  const ssize_t received = ::recv(fd, data, static_cast<size_t>(bytes), MSG_DONTWAIT);
  if (received < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  return static_cast<int>(received);
}

long SocketControl(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

BIO* MakeSocketBio(int fd) {
  static BIO_METHOD* const kMethod = [] {
    BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tutti socket");
    TUTTI_CHECK(method != nullptr, "OpenSSL has no memory");
    BIO_meth_set_write(method, SocketWrite);
    BIO_meth_set_read(method, SocketRead);
    BIO_meth_set_ctrl(method, SocketControl);
    return method;
  }();
  BIO* bio = BIO_new(kMethod);
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<intptr_t>(fd)));
  BIO_set_init(bio, 1);
  return bio;
}

class TlsStream : public ByteStream {
 public:
  TlsStream(int fd, std::shared_ptr<void> context)
      : fd_(fd),
        context_(std::move(context)),
        ssl_(SSL_new(static_cast<SSL_CTX*>(context_.get()))) {
    BIO* bio = ssl_ == nullptr ? nullptr : MakeSocketBio(fd);
    if (bio == nullptr) {
      SSL_free(std::exchange(ssl_, nullptr));
      return;
    }
    SSL_set_bio(ssl_, bio, bio);
    SSL_set_accept_state(ssl_);
  }
  ~TlsStream() override { SSL_free(ssl_); }

  StreamState Handshake() override {
    if (ssl_ == nullptr) return StreamState::kFailed;
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_);
    return result == 1 ? StreamState::kOk : StateAfter(result);
  }

  StreamResult Read(std::span<char> buffer) override {
    ERR_clear_error();
    const int result =
        SSL_read(ssl_, buffer.data(), static_cast<int>(std::min<size_t>(buffer.size(), INT_MAX)));
    if (result > 0) return {StreamState::kOk, static_cast<size_t>(result)};
    return {StateAfter(result)};
  }

  StreamResult Write(std::string_view data) override {
    ERR_clear_error();
    const int result =
        SSL_write(ssl_, data.data(), static_cast<int>(std::min<size_t>(data.size(), INT_MAX)));
    if (result > 0) return {StreamState::kOk, static_cast<size_t>(result)};
    return {StateAfter(result)};
  }

  void EndWriting() override {
    ERR_clear_error();
    SSL_shutdown(ssl_);  // says so to the client; its answer is not awaited
    ::shutdown(fd_, SHUT_WR);
  }

  void Abort() override { MakePlainStream(fd_)->Abort(); }

 private:
  StreamState StateAfter(int result) const {
    switch (SSL_get_error(ssl_, result)) {
      case SSL_ERROR_WANT_READ:
        return StreamState::kWaitRead;
      case SSL_ERROR_WANT_WRITE:
        return StreamState::kWaitWrite;
      case SSL_ERROR_ZERO_RETURN:
        return StreamState::kEnd;
      default:
        return StreamState::kFailed;
    }
  }

  const int fd_;
  const std::shared_ptr<void> context_;  // shared with the other streams of its certificate
  SSL* ssl_;
};

int ChooseProtocol(SSL*, const unsigned char** chosen, unsigned char* chosen_bytes,
                   const unsigned char* offered, unsigned int offered_bytes, void*) {
  static constexpr unsigned char kHttp11[] = "\x08http/1.1";
  unsigned char* match = nullptr;
  if (SSL_select_next_proto(&match, chosen_bytes, kHttp11, sizeof(kHttp11) - 1, offered,
                            offered_bytes) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *chosen = match;
  return SSL_TLSEXT_ERR_OK;
}

// A key with a password cannot be used: nobody is there to be asked.
int NoPassword(char*, int, int, void*) { return 0; }

std::string LastError() {
  const unsigned long code = ERR_get_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return reason == nullptr ? "OpenSSL does not say why" : reason;
}

Result<std::shared_ptr<void>> MakeContext(const std::filesystem::path& certificate,
                                          const std::filesystem::path& key) {
  for (const auto& path : {certificate, key}) {
    std::error_code error;
    if (!std::filesystem::exists(path, error)) {
      return Error(StatusCode::kNotFound, "{}: no such file", path.string());
    }
  }
  ERR_clear_error();
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (context == nullptr) return Error(StatusCode::kResource, "TLS: {}", LastError());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS);
  // Clients resume with tickets, which cost the server no memory.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_select_cb(context.get(), ChooseProtocol, nullptr);
  SSL_CTX_set_default_passwd_cb(context.get(), NoPassword);
  if (SSL_CTX_use_certificate_chain_file(context.get(), certificate.c_str()) != 1) {
    return DataError("{}: no certificate in PEM form ({})", certificate.string(), LastError());
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return DataError("{}: no key in PEM form without a password that fits the certificate ({})",
                     key.string(), LastError());
  }
  return std::shared_ptr<void>(std::move(context));
}

}  // namespace

Result<std::unique_ptr<TlsContext>> TlsContext::Load(const std::filesystem::path& certificate,
                                                     const std::filesystem::path& key) {
  auto context = std::make_unique<TlsContext>();
  context->certificate_ = certificate;
  context->key_ = key;
  TUTTI_RETURN_IF_ERROR(context->Reload());
  return context;
}

Status TlsContext::Reload() {
  TUTTI_ASSIGN_OR_RETURN(std::shared_ptr<void> context, MakeContext(certificate_, key_));
  const std::lock_guard lock(mutex_);
  context_ = std::move(context);
  return {};
}

std::unique_ptr<ByteStream> TlsContext::MakeStream(int fd) const {
  const std::lock_guard lock(mutex_);
  return std::make_unique<TlsStream>(fd, context_);
}

}  // namespace tutti::server
