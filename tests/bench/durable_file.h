// An append-only file of records, each append synced. The file is removed at the end.
#pragma once

#include <fcntl.h>
#include <string>
#include <unistd.h>

#include "tests/bench/measure.h"

namespace p2pbank::bench {

class DurableFile {
  public:
    DurableFile(const std::string& folder, const std::string& name)
        : path_(folder + "/" + name + "." + std::to_string(::getpid())),
          fd_(check(::open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600),
                    path_.c_str())) {
        // Gone with the process, however that ends.
        ::unlink(path_.c_str());
    }
    DurableFile(const DurableFile&) = delete;
    DurableFile& operator=(const DurableFile&) = delete;
    ~DurableFile() { ::close(fd_); }

    void append(size_t records) {
        bytes_.assign(records * kRecordBytes, 'x');
        if (::write(fd_, bytes_.data(), bytes_.size()) != static_cast<ssize_t>(bytes_.size())) {
            die("write");
        }
        check(::fdatasync(fd_), "fdatasync");
    }

  private:
    std::string path_;
    int fd_;
    std::string bytes_;
};

}  // namespace p2pbank::bench
