#include "tutti/os/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

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
  const bool absent = error == ENOENT || error == ENOTDIR;
  const StatusCode code = absent ? StatusCode::kNotFound : StatusCode::kIo;
  return Error(code, "{}: {}: {}", path.string(), what, std::strerror(error));
}

// Takes the lock of a temporary file, unless another writer has it. A file system without locks
// counts as locked.
bool LockedAlone(int fd, const std::filesystem::path& path) {
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) return false;
  // Its last owner may have renamed or removed it before we had the lock.
  struct stat locked {};
  struct stat named {};
  return ::fstat(fd, &locked) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         S_ISREG(locked.st_mode) && locked.st_dev == named.st_dev && locked.st_ino == named.st_ino;
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
  TUTTI_ASSIGN_OR_RETURN(FileWriter file, FileWriter::Create(path));
  TUTTI_RETURN_IF_ERROR(file.Append(content));
  return file.Commit();
}

Status CheckRoom(const std::filesystem::path& path, uint64_t size_bytes) {
  std::error_code error;
  const auto target = std::filesystem::canonical(path, error);
  const bool exists = !error;
  if (exists && !std::filesystem::is_regular_file(target, error)) return Status();
  const auto folder =
      exists ? target.parent_path() : std::filesystem::absolute(path, error).parent_path();
  const std::filesystem::space_info space = std::filesystem::space(folder, error);
  if (error || space.available >= size_bytes) return Status();  // where unknown, writing tells
  constexpr uint64_t kMiB = uint64_t{1} << 20;
  return Error(StatusCode::kIo, "{}: needs {} MiB, but the disk has only {} MiB free",
               path.string(), size_bytes / kMiB + 1, space.available / kMiB);
}

Status CheckWritable(const std::filesystem::path& path) {
  std::error_code error;
  const auto target = std::filesystem::canonical(path, error);
  if (error || std::filesystem::is_regular_file(target, error)) {
    return FileWriter::Create(path).status();
  }
  // To open a pipe is to wait for its reader, to close it again ends what he reads.
  if (std::filesystem::is_directory(target, error)) {
    errno = EISDIR;
  } else if (::access(target.c_str(), W_OK) == 0) {
    return Status();
  }
  return IoError(path, "cannot write");
}

Result<FileWriter> FileWriter::Create(const std::filesystem::path& path) {
  if (path.empty()) return UsageError("the name of the file to write is empty");
  FileWriter file;
  file.path_ = path;
  std::error_code error;
  if (const auto target = std::filesystem::canonical(path, error); !error) {
    file.path_ = target;
    if (!std::filesystem::is_regular_file(target, error)) {
      file.fd_ = ::open(target.c_str(), O_WRONLY | O_CLOEXEC);
      if (file.fd_ < 0) return IoError(path, "cannot write");
      return file;
    }
  }
  struct stat old {};
  const bool replaces = ::stat(file.path_.c_str(), &old) == 0;
  // Whoever writes holds a lock: a name that can be locked is free, or left by a killed process.
  constexpr int kAttempts = 100;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    file.temporary_ = file.path_.string() + ".tutti-tmp";
    if (attempt > 0) file.temporary_ += fmt::format(".{}", attempt);
    // Without O_NONBLOCK a pipe of this name would wait for its reader.
    constexpr int kFlags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
    file.fd_ = ::open(file.temporary_.c_str(), kFlags, 0644);
    if (file.fd_ >= 0 && LockedAlone(file.fd_, file.temporary_)) {
      if (::ftruncate(file.fd_, 0) != 0) break;
      if (replaces && ::fchmod(file.fd_, old.st_mode & 0777) != 0) break;
      return file;
    }
    const bool may_go_on =
        file.fd_ >= 0 || errno == ELOOP || errno == EISDIR || errno == EACCES || errno == ENXIO;
    if (file.fd_ >= 0) ::close(std::exchange(file.fd_, -1));
    if (!may_go_on) break;
  }
  return IoError(path, "cannot create");
}

FileWriter::FileWriter(FileWriter&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      fd_(std::exchange(other.fd_, -1)) {}

FileWriter::~FileWriter() {
  if (fd_ < 0) return;
  ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Status FileWriter::Append(std::string_view content) {
  TUTTI_CHECK(fd_ >= 0, "the file is committed");
  while (!content.empty()) {
    const ssize_t n = ::write(fd_, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return IoError(path_, "cannot write");
    content.remove_prefix(static_cast<size_t>(n));
  }
  return Status();
}

Status FileWriter::Commit() {
  TUTTI_CHECK(fd_ >= 0, "the file is committed");
  // Devices and pipes have nothing to sync and say EINVAL.
  if (::fsync(fd_) != 0 && errno != EINVAL) return IoError(path_, "cannot write");
  // The second descriptor keeps the lock until the file has its name.
  const Descriptor lock(::dup(fd_));
  const bool closed = ::close(fd_) == 0;  // network file systems report a full disk here
  fd_ = -1;
  if (closed && temporary_.empty()) return Status();
  if (closed && ::rename(temporary_.c_str(), path_.c_str()) == 0) return Status();
  const Status status = IoError(path_, "cannot write");
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  return status;
}

}  // namespace tutti::os
