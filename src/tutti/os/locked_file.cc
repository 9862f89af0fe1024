#include "tutti/os/locked_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace tutti::os {

LockedFile::LockedFile(LockedFile&& other) noexcept { *this = std::move(other); }

LockedFile& LockedFile::operator=(LockedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  return *this;
}

LockedFile::~LockedFile() {
  if (fd_ >= 0) ::close(fd_);
}

Status LockedFile::Failed(std::string_view what) const {
  return Error(StatusCode::kIo, "{}: cannot {}: {}", path_.string(), what, std::strerror(errno));
}

Result<LockedFile> LockedFile::Open(const std::filesystem::path& path) {
  LockedFile file;
  file.path_ = path;
  file.fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
  if (file.fd_ < 0) return file.Failed("open");
  struct stat info {};
  if (::fstat(file.fd_, &info) != 0) return file.Failed("look at");
  if (!S_ISREG(info.st_mode)) {
    return Error(StatusCode::kIo, "{}: not a regular file", path.string());
  }
  if (::flock(file.fd_, LOCK_EX | LOCK_NB) == 0) return file;
  if (errno != EWOULDBLOCK) return file.Failed("lock");
  return Error(StatusCode::kResource,
               "{}: another program uses it: name another place, or end that one", path.string());
}

Result<int64_t> LockedFile::Size() const {
  struct stat info {};
  if (::fstat(fd_, &info) != 0) return Failed("look at");
  return static_cast<int64_t>(info.st_size);
}

Status LockedFile::Resize(int64_t size_bytes) {
  return ::ftruncate(fd_, size_bytes) == 0 ? Status() : Failed("resize");
}

Status LockedFile::ReadAt(int64_t offset, std::span<std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t n = ::pread(fd_, bytes.data(), bytes.size(), offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Failed("read");
    if (n == 0) return DataError("{}: it ends at byte {}", path_.string(), offset);
    bytes = bytes.subspan(static_cast<size_t>(n));
    offset += n;
  }
  return Status();
}

Status LockedFile::WriteAt(int64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd_, bytes.data(), bytes.size(), offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Failed("write");
    bytes = bytes.subspan(static_cast<size_t>(n));
    offset += n;
  }
  return Status();
}

}  // namespace tutti::os
