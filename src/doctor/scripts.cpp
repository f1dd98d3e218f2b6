// Whether PHP can run a site's script, found out without running it: PHP has a root, rights and limits of its own.
//
// Told to run a folder, php-fpm runs nothing, and says whether it sees it. For more a probe of ours is run, which lies in a folder for
// the time of one request and says what PHP's functions say of the script. Nothing is set by PHP_VALUE: php-fpm would keep it for the
// requests of others.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "doctor/ask.hpp"
#include "doctor/examination.hpp"
#include "doctor/pool.hpp"

namespace fcgate::doctor {

namespace {

// Asked over HTTP it is silent.
constexpr std::string_view probe_text =
    "<?php $f=getenv('FCGATE_DOCTOR');if($f===false)exit;foreach(array(PHP_VERSION,ini_get('memory_limit'),"
    "ini_get('post_max_size'),ini_get('upload_max_filesize'),ini_get('open_basedir'),(int)@file_exists($f),"
    "(int)@is_readable($f))as$v)echo$v,\"\\n\";";

class Probe {
  public:
    Probe() = default;
    Probe(const Probe&) = delete;
    Probe& operator=(const Probe&) = delete;
    ~Probe() {
        if (is_there_) {
            (void)unlink(path_);
        }
    }

    // False: nothing may be written there, or anybody could put his own in its place.
    [[nodiscard]] bool write_to(std::string_view folder, std::string_view suffix);
    [[nodiscard]] std::string_view path() const { return path_; }

  private:
    char path_[limits::path];
    bool is_there_ = false;
};

bool Probe::write_to(std::string_view folder, std::string_view suffix) {
    struct stat status {};
    const Text<limits::path> name(folder);
    const bool is_safe = stat(name.c_str(), &status) == 0 &&
                         ((status.st_mode & (S_IWGRP | S_IWOTH)) == 0 || (status.st_mode & S_ISVTX) != 0);
    TextBuffer path(path_);
    path.append(folder).append("/fcgate-doctor-XXXXXX"_p).append(suffix);
    if (folder.empty() || !is_safe || !path.ok()) {
        return false;
    }
    const Descriptor fd(mkostemps(path_, static_cast<int>(suffix.size()), O_CLOEXEC));
    is_there_ = fd.valid();
    return is_there_ && fchmod(fd.get(), 0644) == 0 &&
           write(fd.get(), probe_text.data(), probe_text.size()) == static_cast<ssize_t>(probe_text.size());
}

// Of the path of a file; it may have none.
[[nodiscard]] std::string_view suffix_of(std::string_view path) {
    const std::string_view name = slice(path, path.rfind('/') + 1);
    return slice(name, name.rfind('.'));
}

// What the probe has said.
struct Facts {
    std::string_view version;
    std::string_view memory_limit;
    std::string_view post_max_size;
    std::string_view upload_max_filesize;
    std::string_view open_basedir;
    bool exists = false;
    bool is_readable = false;
};

[[nodiscard]] Facts read_facts(std::string_view body) {
    std::string_view lines[7];
    for (std::string_view& line : lines) {
        line = split_first(body, '\n', body);
    }
    return {lines[0], lines[1], lines[2], lines[3], lines[4], lines[5] == "1", lines[6] == "1"};
}

// "128M" as PHP reads it; 0: no limit.
[[nodiscard]] uint64_t parse_quantity(std::string_view text) {
    const std::string_view units = "kmg";
    const size_t unit = text.empty() ? std::string_view::npos : units.find(to_lower(text.back()));
    const bool has_unit = unit != std::string_view::npos;
    const Result<uint64_t> number = parse_decimal(slice(text, 0, text.size() - (has_unit ? 1 : 0)));
    return number.ok() ? number.value() << (has_unit ? 10 * (unit + 1) : 0) : 0;
}

class Scripts {
  public:
    Scripts(Examination& examination, size_t backend)
        : examination_(examination),
          report_(examination.report),
          backend_(examination.settings.backends[backend]),
          socket_(examination.sockets[backend].view()) {}

    void examine(const SiteSettings& site);

  private:
    enum class Outcome : uint8_t { unwritten, unanswered, unseen, refused, told };

    [[nodiscard]] Outcome run_probe(std::string_view folder);
    [[nodiscard]] bool sees_folder();
    void tell(const SiteSettings& site, const Facts& facts);
    void tell_memory(const Facts& facts);
    void tell_uploads(const SiteSettings& site, const Facts& facts);
    void tell_blind();
    void tell_refused(Outcome outcome);

    Examination& examination_;
    Report& report_;
    const BackendSettings& backend_;
    std::string_view socket_;
    bool has_told_memory_ = false;
    Text<limits::path> folder_;
    Text<limits::path> script_;
    Answer answer_;
};

// Leaves PHP's words in answer_.
Scripts::Outcome Scripts::run_probe(std::string_view folder) {
    Probe probe;
    // It ends as the script does, which php-fpm may ask for (security.limit_extensions).
    if (!probe.write_to(folder, suffix_of(script_.view()))) {
        return Outcome::unwritten;
    }
    answer_.body.clear();
    answer_.errors.clear();
    if (ask({backend_, socket_, probe.path(), script_.view(), examination_.soon()}, answer_) != Status::ok) {
        return Outcome::unanswered;
    }
    if (answer_.status == 200) {
        return Outcome::told;
    }
    return starts_with(answer_.body.view(), "File not found") ? Outcome::unseen : Outcome::refused;
}

bool Scripts::sees_folder() {
    answer_.body.clear();
    answer_.errors.clear();
    return ask({backend_, socket_, folder_.view(), script_.view(), examination_.soon()}, answer_) == Status::ok &&
           !starts_with(answer_.body.view(), "File not found");
}

void Scripts::examine(const SiteSettings& site) {
    folder_.clear();
    script_.clear();
    if (find_script(site, folder_, script_) != Status::ok) {
        return;  // examine_folders() tells
    }
    // Where scratch files go first: the root is left alone if that will do.
    Outcome outcome = run_probe(site.spool);
    if (outcome != Outcome::told && outcome != Outcome::unanswered) {
        if (!sees_folder()) {
            tell_blind();
            return;
        }
        outcome = run_probe(folder_.view());
    }
    if (outcome == Outcome::told) {
        tell(site, read_facts(answer_.body.view()));
    } else {
        tell_refused(outcome);
    }
}

void Scripts::tell_blind() {
    Pool pool;
    find_pool(backend_, pool);
    report_.add(pool.chroot.size() > 0 ? Found::script_chroot : Found::script_unseen, script_.view(),
                {pool.chroot.view(), pool.file.view()});
}

void Scripts::tell_refused(Outcome outcome) {
    Found found = Found::script_refused;
    if (outcome == Outcome::unanswered) {
        found = Found::script_unanswered;
    } else if (outcome == Outcome::unwritten) {
        found = Found::script_untried;
    } else if (answer_.errors.view().find("limit_extensions") != std::string_view::npos) {
        found = Found::script_name;
    } else if (answer_.status >= 500) {
        found = Found::script_php_fails;
    }
    report_.add(found, script_.view(),
                {found == Found::script_php_fails ? answer_.errors.view() : folder_.view(), suffix_of(script_.view())});
}

void Scripts::tell(const SiteSettings& site, const Facts& facts) {
    if (facts.is_readable) {
        report_.add(Found::script_good, script_.view(), {facts.version});
    } else if (!facts.open_basedir.empty()) {
        report_.add(Found::script_confined, script_.view(), {folder_.view(), facts.open_basedir});
    } else if (facts.exists) {
        report_.add(Found::script_unreadable, script_.view(), {script_.view()});
    } else {
        tell_blind();
    }
    tell_uploads(site, facts);
    if (!has_told_memory_) {
        tell_memory(facts);
        has_told_memory_ = true;
    }
}

void Scripts::tell_uploads(const SiteSettings& site, const Facts& facts) {
    const uint64_t post = parse_quantity(facts.post_max_size);
    const uint64_t file = parse_quantity(facts.upload_max_filesize);
    const uint64_t most = post == 0 ? file : std::min(post, file);
    report_.add(most < site.max_body && most != 0 ? Found::uploads_small : Found::uploads_good, site.root,
                {Size(site.max_body), facts.post_max_size, facts.upload_max_filesize, Size(most)});
}

void Scripts::tell_memory(const Facts& facts) {
    const uint64_t machine = examination_.memory_kib << 10U;
    const uint64_t share = machine / backend_.workers;
    const uint64_t one = parse_quantity(facts.memory_limit);
    if (machine != 0) {
        report_.add(one != 0 && one <= share ? Found::php_memory_good : Found::php_memory_large, backend_.address,
                    {Number(backend_.workers), facts.memory_limit, Size(machine), Size(share / 2)});
    }
}

}  // namespace

void examine_scripts(Examination& examination, size_t backend) {
    Scripts scripts(examination, backend);
    for (const SiteSettings& site : examination.settings.sites) {
        if (site.has_backend && site.backend_number == backend) {
            scripts.examine(site);
        }
    }
}

}  // namespace fcgate::doctor
