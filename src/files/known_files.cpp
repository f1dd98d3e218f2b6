#include "files/known_files.hpp"

#include <sys/stat.h>

#include "base/descriptor.hpp"
#include "files/open_beneath.hpp"

namespace fcgate::files {

Status KnownFiles::check(const route::SiteRoot& site, std::string_view path, const route::FileIdentity& found) {
    Known& known = known_[found.number % count];
    if (known.site == &site && known.file == found) {
        return Status::ok;
    }
    const Result<int> referred = refer_beneath(site.fd, path, route::links_to(site));
    if (!referred.ok()) {
        return referred.status();
    }
    const Descriptor fd(referred.value());
    struct stat status;
    if (fstat(fd.get(), &status) == 0 && S_ISREG(status.st_mode)) {
        known = {&site, route::identity_of(status)};
    }
    return Status::ok;
}

}  // namespace fcgate::files
