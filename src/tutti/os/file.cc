#include "tutti/os/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace tutti::os {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

Status IoError(const std::filesystem::path& path, std::string_view what) {
  const int error = errno;
  const StatusCode code = error == ENOENT ? StatusCode::kNotFound : StatusCode::kIo;
  return Error(code, "{}: {}: {}", path.string(), what, std::strerror(error));
}

}  // namespace

Result<std::string> ReadFile(const std::filesystem::path& path, size_t limit_bytes) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return IoError(path, "cannot open");
  std::string content;
  char buffer[65536];
  for (;;) {
    const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return IoError(path, "cannot read");
    if (n == 0) return content;
    if (content.size() + static_cast<size_t>(n) > limit_bytes) {
      return Error(StatusCode::kResource, "{}: larger than the limit of {} bytes", path.string(),
                   limit_bytes);
    }
    content.append(buffer, static_cast<size_t>(n));
  }
}

Status WriteFile(const std::filesystem::path& path, std::string_view content) {
  const std::filesystem::path temporary =
      path.string() + fmt::format(".tmp.{}", static_cast<long>(::getpid()));
  const Descriptor fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (fd.get() < 0) return IoError(path, "cannot create");
  size_t written = 0;
  while (written < content.size()) {
    const ssize_t n = ::write(fd.get(), content.data() + written, content.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const Status status = IoError(path, "cannot write");
      ::unlink(temporary.c_str());
      return status;
    }
    written += static_cast<size_t>(n);
  }
  if (::fsync(fd.get()) != 0 || ::rename(temporary.c_str(), path.c_str()) != 0) {
    const Status status = IoError(path, "cannot write");
    ::unlink(temporary.c_str());
    return status;
  }
  return Status();
}

}  // namespace tutti::os
