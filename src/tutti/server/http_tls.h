// TLS for a server: a certificate and its key from PEM files, which can be read again while
// connections last.
//
// TLS 1.2 and 1.3, no renegotiation, no compression; by ALPN http/1.1 only. A client that offers
// other protocols only is refused, as RFC 7301 wants.
//
// Ownership: streams keep what they use of the context. Threads: any. Errors: kNotFound, kData.
#pragma once
#include <filesystem>
#include <memory>
#include <mutex>

#include "tutti/base/status.h"
#include "tutti/server/http_stream.h"

namespace tutti::server {

class TlsContext {
 public:
  // The certificate's file may hold its chain, the server's own first.
  static Result<std::unique_ptr<TlsContext>> Load(const std::filesystem::path& certificate,
                                                  const std::filesystem::path& key);
  // New connections use what the files hold now; on an error, what they held before.
  Status Reload();
  std::unique_ptr<ByteStream> MakeStream(int fd) const;

 private:
  std::filesystem::path certificate_;
  std::filesystem::path key_;
  mutable std::mutex mutex_;
  std::shared_ptr<void> context_;  // SSL_CTX, shared with connections under way
};

}  // namespace tutti::server
