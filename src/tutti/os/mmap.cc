#include "tutti/os/mmap.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace tutti::os {

Result<MmapFile> MmapFile::Open(const std::filesystem::path& path) {
  // O_NONBLOCK: opening a pipe without a writer must not wait; for files it means nothing.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    const bool absent = errno == ENOENT || errno == ENOTDIR;
    const StatusCode code = absent ? StatusCode::kNotFound : StatusCode::kIo;
    return Error(code, "{}: {}", path.string(), std::strerror(errno));
  }
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(fd);
    return Error(StatusCode::kIo, "{}: not a regular file", path.string());
  }
  MmapFile file;
  file.path_ = path;
  file.size_ = static_cast<size_t>(info.st_size);
  if (file.size_ > 0) {
    void* data = ::mmap(nullptr, file.size_, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) {
      const int error = errno;
      ::close(fd);
      file.size_ = 0;
      return Error(StatusCode::kIo, "{}: cannot map {} bytes: {}", path.string(), info.st_size,
                   std::strerror(error));
    }
    // Where the system has huge pages for files, weights are read with fewer misses of the address
    // cache. Only a wish: systems that know none say so, and nothing is lost.
    ::madvise(data, file.size_, MADV_HUGEPAGE);
    file.data_ = static_cast<const std::byte*>(data);
  }
  ::close(fd);
  return file;
}

MmapFile::MmapFile(MmapFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MmapFile& MmapFile::operator=(MmapFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

void MmapFile::Forget() const {
  if (data_ != nullptr) ::madvise(const_cast<std::byte*>(data_), size_, MADV_DONTNEED);
}

MmapFile::~MmapFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

}  // namespace tutti::os
