// A configuration file. One that is good prints itself as a file that is good and prints the same.
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <new>

#include "config/settings.hpp"
#include "fcgate/fcgate.h"
#include "fuzz.hpp"

namespace {

using fcgate::ConfigError;
using fcgate::Settings;
using fcgate::Status;
using fcgate::test::promise;

// A file in memory, by name.
class File {
  public:
    explicit File(std::string_view text) : fd_(memfd_create("configuration", MFD_CLOEXEC)) {
        promise(fd_ >= 0 && write(fd_, text.data(), text.size()) == static_cast<ssize_t>(text.size()),
                "a file can be made");
        path_.append("/proc/self/fd/").append_number(static_cast<unsigned>(fd_));
    }
    ~File() { close(fd_); }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    [[nodiscard]] const char* path() const { return path_.c_str(); }

  private:
    int fd_;
    fcgate::Text<64> path_;
};

struct Made {
    Settings settings;
    ConfigError error;
    char text[FCGATE_PRINTED_MAX];
};

Made* make(std::string_view text, Status& status) {
    const File file(text);
    void* const memory = malloc(sizeof(Made));
    promise(memory != nullptr, "there is memory");
    auto* const made = new (memory) Made;
    status = made->settings.load(file.path(), made->error);
    promise(status == Status::ok || made->error.text.size() > 0, "who refuses says why");
    return made;
}

void drop(Made* made) {
    made->~Made();
    free(made);
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Status status = Status::ok;
    Made* const made = make(fcgate::test::as_text(data, size), status);
    if (status == Status::ok) {
        status = made->settings.check(made->error);
        promise(status == Status::ok || made->error.text.size() > 0, "who refuses says why");
    }
    if (status == Status::ok) {
        fcgate::TextBuffer printed(made->text);
        promise(made->settings.print(printed) == Status::ok, "every configuration can be printed");
        Made* const again = make(printed.view(), status);
        promise(status == Status::ok && again->settings.check(again->error) == Status::ok,
                "what is printed can be read");
        fcgate::TextBuffer second(again->text);
        promise(again->settings.print(second) == Status::ok && second.view() == printed.view(), "and prints the same");
        drop(again);
    }
    drop(made);
    return 0;
}
