#include "tutti/server/http_tls.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "tutti/os/file.h"
#include "tutti/server/http_server.h"

namespace tutti::server {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Text(BIO* bio) {
  char* data = nullptr;
  const long bytes = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<size_t>(bytes));
}

// A certificate that its key signed itself, as PEM files.
struct Certificate {
  explicit Certificate(const std::string& name) {
    EVP_PKEY* pair = EVP_EC_gen("P-256");
    X509* x509 = X509_new();
    X509_set_version(x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
    X509_set_pubkey(x509, pair);
    X509_NAME* subject = X509_get_subject_name(x509);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(x509, subject);
    X509_sign(x509, pair, EVP_sha256());
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, x509);
    certificate = Text(bio);
    BIO_free(bio);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, pair, nullptr, nullptr, 0, nullptr, nullptr);
    key = Text(bio);
    BIO_free(bio);
    X509_free(x509);
    EVP_PKEY_free(pair);
  }
  std::string certificate;
  std::string key;
};

class TlsClient {
 public:
  explicit TlsClient(uint16_t port, std::string_view alpn = {})
      : fd_(::socket(AF_INET, SOCK_STREAM, 0)), context_(SSL_CTX_new(TLS_client_method())) {
    const timeval limit{20, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    ssl_ = SSL_new(context_);
    SSL_set_fd(ssl_, fd_);
    if (!alpn.empty()) {
      SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(alpn.data()),
                          static_cast<unsigned>(alpn.size()));
    }
    connected_ = SSL_connect(ssl_) == 1;
  }
  ~TlsClient() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
    ::close(fd_);
  }
  bool connected() const { return connected_; }
  std::string protocol() const {
    const unsigned char* data = nullptr;
    unsigned bytes = 0;
    SSL_get0_alpn_selected(ssl_, &data, &bytes);
    return std::string(reinterpret_cast<const char*>(data), bytes);
  }
  std::string server_name() const {
    X509* x509 = SSL_get1_peer_certificate(ssl_);
    char name[100] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(x509), NID_commonName, name, sizeof(name));
    X509_free(x509);
    return name;
  }
  int fd() const { return fd_; }
  void Send(std::string_view text) { SSL_write(ssl_, text.data(), static_cast<int>(text.size())); }
  std::string ReadUntil(std::string_view end) {
    while (received_.find(end) == std::string::npos && Receive()) {
    }
    return std::exchange(received_, {});
  }
  std::string ReadAll() {
    while (Receive()) {
    }
    return std::exchange(received_, {});
  }
  // After ReadAll: the server said that it was the end, nobody cut the connection.
  bool ended_well() const { return (SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) != 0; }

 private:
  bool Receive() {
    char buffer[16384];
    const int bytes = SSL_read(ssl_, buffer, sizeof(buffer));
    if (bytes > 0) received_.append(buffer, static_cast<size_t>(bytes));
    return bytes > 0;
  }
  int fd_;
  SSL_CTX* context_;
  SSL* ssl_;
  bool connected_ = false;
  std::string received_;
};

class HttpTlsTest : public ::testing::Test {
 protected:
  HttpTlsTest() : folder_(::testing::TempDir()) {}
  ~HttpTlsTest() override {
    if (server_) server_->Stop();
    if (thread_.joinable()) thread_.join();
  }
  void Write(const Certificate& certificate) {
    ASSERT_TRUE(os::WriteFile(folder_ / "tutti_tls.crt", certificate.certificate).ok());
    ASSERT_TRUE(os::WriteFile(folder_ / "tutti_tls.key", certificate.key).ok());
  }
  void Serve() {
    HttpOptions options;
    options.port = 0;
    options.tls_certificate = folder_ / "tutti_tls.crt";
    options.tls_key = folder_ / "tutti_tls.key";
    auto created = HttpServer::Create(options, [](std::shared_ptr<Exchange> exchange) {
      HttpResponse response;
      response.body = std::string(exchange->request().body.size(), 'x') + exchange->request().path;
      exchange->Respond(std::move(response));
    });
    ASSERT_TRUE(created.ok()) << created.status().message();
    server_ = std::move(created).value();
    thread_ = std::thread([this] { server_->Run(); });
  }
  const std::filesystem::path folder_;
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
};

TEST_F(HttpTlsTest, AnswersThroughTls) {
  Write(Certificate("one"));
  Serve();
  TlsClient client(server_->port());
  ASSERT_TRUE(client.connected());
  client.Send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("/a"), StartsWith("HTTP/1.1 200 OK\r\n"));
  client.Send(
      "POST /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1000000\r\n\r\n" +
      std::string(1'000'000, 'b'));
  const std::string big = client.ReadAll();
  EXPECT_THAT(big, HasSubstr("content-length: 1000004\r\n"));
  EXPECT_THAT(big, EndsWith("xxxx/big"));
  EXPECT_TRUE(client.ended_well());
}

TEST_F(HttpTlsTest, SpeaksHttp11Only) {
  Write(Certificate("one"));
  Serve();
  EXPECT_EQ(TlsClient(server_->port(), std::string_view("\x02h2\x08http/1.1")).protocol(),
            "http/1.1");
  EXPECT_FALSE(TlsClient(server_->port(), std::string_view("\x02h2")).connected());
  EXPECT_TRUE(TlsClient(server_->port()).connected());
}

TEST_F(HttpTlsTest, WhoDoesNotSpeakTlsIsDropped) {
  Write(Certificate("one"));
  Serve();
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server_->port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  const std::string_view request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  ASSERT_EQ(::send(fd, request.data(), request.size(), MSG_NOSIGNAL), request.size());
  std::string received;
  char buffer[4096];
  for (ssize_t bytes; (bytes = ::recv(fd, buffer, sizeof(buffer), 0)) > 0;) {
    received.append(buffer, static_cast<size_t>(bytes));
  }
  ::close(fd);
  EXPECT_EQ(received.find("HTTP"), std::string::npos);
  EXPECT_EQ(server_->counters().Get(HttpEvent::kTlsFailed), 1);
}

TEST_F(HttpTlsTest, ReloadsTheCertificateForNewConnections) {
  Write(Certificate("one"));
  Serve();
  TlsClient before(server_->port());
  EXPECT_EQ(before.server_name(), "one");
  Write(Certificate("two"));
  ASSERT_TRUE(server_->ReloadTls().ok());
  TlsClient after(server_->port());
  EXPECT_EQ(after.server_name(), "two");
  before.Send("GET /still HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(before.ReadUntil("/still"), StartsWith("HTTP/1.1 200 "));
  // A mistake changes nothing.
  ASSERT_TRUE(os::WriteFile(folder_ / "tutti_tls.crt", "no certificate").ok());
  EXPECT_EQ(server_->ReloadTls().code(), StatusCode::kData);
  EXPECT_EQ(TlsClient(server_->port()).server_name(), "two");
}

TEST_F(HttpTlsTest, SaysWhatIsWrongWithItsFiles) {
  const Certificate one("one");
  Write(one);
  const auto certificate = folder_ / "tutti_tls.crt";
  const auto key = folder_ / "tutti_tls.key";
  EXPECT_TRUE(TlsContext::Load(certificate, key).ok());
  EXPECT_EQ(TlsContext::Load(certificate, folder_ / "none").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(TlsContext::Load(key, key).status().code(), StatusCode::kData);
  ASSERT_TRUE(os::WriteFile(key, Certificate("two").key).ok());
  EXPECT_THAT(TlsContext::Load(certificate, key).status().message(), HasSubstr("fits"));
  HttpOptions half;
  half.tls_key = key;
  EXPECT_EQ(HttpServer::Create(half, [](std::shared_ptr<Exchange>) {}).status().code(),
            StatusCode::kUsage);
}

}  // namespace
}  // namespace tutti::server
