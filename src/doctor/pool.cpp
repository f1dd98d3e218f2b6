#include "doctor/pool.hpp"

#include "doctor/lines.hpp"
#include "spawn/program.hpp"

namespace fcgate::doctor {

namespace {

// Of one file. Keys of a pool may stand in any order, so that they are judged at its end.
class PoolFile {
  public:
    PoolFile(const BackendAddress& backend, Pool& out, bool may_include)
        : backend_(backend), out_(out), may_include_(may_include) {}

    void read(const char* path);

  private:
    void take(std::string_view key, std::string_view value);
    void include(std::string_view pattern);
    void end_section();
    [[nodiscard]] bool is_wanted() const;

    const BackendAddress& backend_;
    Pool& out_;
    const bool may_include_;
    Text<64> section_;
    Text<256> listen_;
    Text<256> chroot_;
    uint32_t children_ = 0;
};

void PoolFile::read(const char* path) {
    Lines lines(path);
    std::string_view line;
    while (lines.next(line) && !out_.is_found) {
        line = trim(slice(line, 0, line.find(';')));
        if (line.starts_with('[')) {
            end_section();
            section_.append(slice(line, 1, line.find(']') - 1));
            continue;
        }
        std::string_view value;
        const std::string_view key = trim(split_first(line, '=', value));
        value = trim(value);
        if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
            value = slice(value, 1, value.size() - 2);
        }
        take(key, value);
    }
    if (!out_.is_found) {
        end_section();
    }
    if (out_.is_found && out_.file.size() == 0) {
        out_.file.append(path);
    }
}

void PoolFile::take(std::string_view key, std::string_view value) {
    constexpr std::string_view own_name = "$pool";
    if (key == "include" && may_include_) {
        include(value);
    } else if (key == "listen") {
        const size_t at = value.find(own_name);
        listen_.clear();
        listen_.append(slice(value, 0, at));
        if (at != std::string_view::npos) {
            listen_.append(section_.view()).append(slice(value, at + own_name.size()));
        }
    } else if (key == "chroot") {
        chroot_.clear();
        chroot_.append(value);
    } else if (key == "pm.max_children") {
        const Result<uint64_t> number = parse_decimal(value);
        children_ = number.ok() ? static_cast<uint32_t>(number.value()) : 0;
    }
}

// "/etc/php/8.2/fpm/pool.d/*.conf": one star, in the name of the file.
void PoolFile::include(std::string_view pattern) {
    struct Search {
        PoolFile& self;
        Text<limits::path> folder;
        std::string_view prefix;
        std::string_view suffix;
    };
    const size_t slash = pattern.rfind('/');
    if (slash == std::string_view::npos) {
        return;
    }
    const std::string_view name = slice(pattern, slash + 1);
    const size_t star = name.find('*');
    Search search{*this, Text<limits::path>(slice(pattern, 0, slash + 1)), slice(name, 0, star),
                  star == std::string_view::npos ? std::string_view() : slice(name, star + 1)};
    (void)find_entry(
        search.folder.c_str(),
        [](void* context, const char* entry) {
            const auto& wanted = *static_cast<const Search*>(context);
            if (starts_with(entry, wanted.prefix) && ends_with(entry, wanted.suffix) && *entry != '.') {
                Text<limits::path> path(wanted.folder.view());
                path.append(entry);
                PoolFile(wanted.self.backend_, wanted.self.out_, false).read(path.c_str());
            }
            return wanted.self.out_.is_found;
        },
        &search);
}

bool PoolFile::is_wanted() const {
    if (backend_.kind == BackendSettings::Kind::local) {
        return listen_.view() == backend_.path;
    }
    // "9000", "127.0.0.1:9000", "[::]:9000": which address it is matters little to whoever has one pool.
    const std::string_view listen = listen_.view();
    const Result<uint64_t> port = parse_decimal(slice(listen, listen.rfind(':') + 1));
    return port.ok() && port.value() == backend_.endpoint.port();
}

void PoolFile::end_section() {
    if (listen_.size() > 0 && is_wanted()) {
        out_.is_found = true;
        out_.children = children_;
        out_.chroot.append(chroot_.view());
    } else if (listen_.size() > 0 && out_.another.size() == 0 && section_.view() != spawn::pool_name) {
        out_.another.append(listen_.view());
    }
    section_.clear();
    listen_.clear();
    chroot_.clear();
    children_ = 0;
}

}  // namespace

void find_pool(const BackendAddress& backend, Pool& out) {
    struct Search {
        const BackendAddress& backend;
        Pool& out;
    } search{backend, out};
    (void)find_process(
        [](void* context, const char* pid) {
            constexpr std::string_view title = "php-fpm: master process (";
            const auto& wanted = *static_cast<const Search*>(context);
            Text<64> path("/proc/");
            path.append(pid).append("/cmdline"_p);
            Lines lines(path.c_str());
            std::string_view line;
            if (lines.next(line) && starts_with(line, title)) {
                const std::string_view shown = slice(line, title.size());
                const Text<limits::path> file(slice(shown, 0, shown.find(')')));
                PoolFile(wanted.backend, wanted.out, true).read(file.c_str());
            }
            return wanted.out.is_found;
        },
        &search);
}

}  // namespace fcgate::doctor
