// Whether the listeners can be had, and who has them otherwise.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>

#include "base/descriptor.hpp"
#include "base/log.hpp"
#include "doctor/examination.hpp"
#include "doctor/lines.hpp"
#include "http/listener.hpp"

namespace fcgate::doctor {

namespace {

struct Holder {
    std::string_view link;  // what /proc/PID/fd/N must lead to
    Text<16> pid;
    Text<64> name;
};

void append_hex(TextBuffer& out, uint32_t number, int bits) {
    for (int shift = bits - 4; shift >= 0; shift -= 4) {
        out.append(upper_hex_digits[(number >> static_cast<unsigned>(shift)) & 15U]);
    }
}

// As the tables have it: four bytes each as a number of this machine. Empty for all addresses: everybody's end is in the way then.
void append_address(const ListenSettings& listen, TextBuffer& out) {
    const std::span<const uint8_t> bytes = listen.endpoint.bytes();
    const bool is_one = std::any_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte != 0; });
    for (size_t at = 0; is_one && at < bytes.size(); at += sizeof(uint32_t)) {
        uint32_t number = 0;
        memcpy(&number, bytes.data() + at, sizeof number);
        append_hex(out, number, 32);
    }
}

// The inode of a socket that listens at such an end, or at all addresses, from /proc/net/tcp or tcp6: "N: ADDRESS:PORT PEER STATE ...
// INODE". An IPv4 address is the end of one in tcp6, too.
[[nodiscard]] bool find_inode(const char* table, std::string_view end, TextBuffer& link) {
    constexpr int inode_column = 9;
    const std::string_view port = slice(end, end.find(':'));
    Lines lines(table);
    std::string_view line;
    while (lines.next(line)) {
        (void)next_word(line);
        const std::string_view local = next_word(line);
        (void)next_word(line);
        const bool is_all = local.find_first_not_of('0') == local.find(':') && ends_with(local, port);
        if ((!is_all && !ends_with(local, end)) || next_word(line) != "0A") {
            continue;
        }
        std::string_view inode;
        for (int column = 4; column <= inode_column; ++column) {
            inode = next_word(line);
        }
        link.append("socket:["_p).append(inode).append(']');
        return true;
    }
    return false;
}

[[nodiscard]] bool has_socket(void* context, const char* pid) {
    struct Search {
        const Holder& holder;
        Text<64> folder;
    } search{*static_cast<Holder*>(context), Text<64>("/proc/")};
    search.folder.append(pid).append("/fd/"_p);
    const bool is_found = find_entry(
        search.folder.c_str(),
        [](void* self, const char* name) {
            const auto& looked = *static_cast<const Search*>(self);
            Text<128> path(looked.folder.view());
            path.append(name);
            char target[64];
            const ssize_t length = readlink(path.c_str(), target, sizeof target);
            return length > 0 && std::string_view(target, static_cast<size_t>(length)) == looked.holder.link;
        },
        &search);
    if (is_found) {
        static_cast<Holder*>(context)->pid.append(pid);
    }
    return is_found;
}

void find_local_holder(const ListenSettings& listen, Holder& holder) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, listen.path.data(), listen.path.size());
    const Descriptor fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ucred who{};
    socklen_t length = sizeof who;
    if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
        getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &who, &length) == 0) {
        holder.pid.append_number(static_cast<uint64_t>(who.pid));
    }
}

// Without root only processes of one's own are seen.
void find_holder(const ListenSettings& listen, Holder& holder) {
    Text<64> link;
    Text<48> end;
    append_address(listen, end);
    end.append(':');
    append_hex(end, listen.endpoint.port(), 16);
    const bool is_ipv6 = listen.kind == ListenSettings::Kind::tcp && listen.endpoint.kind() == Endpoint::Kind::ipv6;
    if (listen.kind == ListenSettings::Kind::local) {
        find_local_holder(listen, holder);
    } else if ((!is_ipv6 && find_inode("/proc/net/tcp", end.view(), link)) ||
               find_inode("/proc/net/tcp6", end.view(), link)) {
        holder.link = link.view();
        (void)find_process(&has_socket, &holder);
    }
    if (holder.pid.size() > 0) {
        append_process_name(holder.pid.view(), holder.name);
    }
}

[[nodiscard]] bool is_self(const Holder& holder) {
    Text<16> self;
    self.append_number(static_cast<uint64_t>(getpid()));
    return holder.pid.view() == self.view();
}

[[nodiscard]] Found judge(const ListenSettings& listen, int error_number, Holder& holder) {
    const bool is_local = listen.kind == ListenSettings::Kind::local;
    switch (error_number) {
        case EADDRINUSE:
            find_holder(listen, holder);
            if (holder.pid.size() == 0) {
                return Found::port_held_unseen;
            }
            if (is_self(holder)) {
                return Found::port_twice;
            }
            return holder.name.view() == "fcgate" ? Found::port_ours : Found::port_held;
        case EADDRNOTAVAIL:
            return Found::port_no_interface;
        case EACCES:
        case EPERM:
            return is_local ? Found::port_socket_denied : Found::port_denied;
        default:
            return Found::port_failed;
    }
}

void explain_failure(Examination& examination, const ListenSettings& listen, int error_number) {
    char words[96] = "";
    Holder holder;
    const Found found = judge(listen, error_number, holder);
    Text<64> first(holder.name.view());
    if (found == Found::port_no_interface) {
        first.append_number(listen.endpoint.port());
    } else if (found == Found::port_failed) {
        first.append(describe_error(error_number, words));
    }
    examination.serves_already = examination.serves_already || found == Found::port_ours;
    examination.report.add(found, listen.text, {first.view(), holder.pid.view()});
}

}  // namespace

void examine_ports(Examination& examination) {
    // Held until all are open, as a server holds them: two of its own may be in each other's way.
    std::array<Descriptor, limits::listeners> held;
    const auto& listeners = examination.settings.server.listen;
    for (size_t i = 0; i < listeners.size(); ++i) {
        Text<256> why;
        const Result<int> fd = http::open_listener(listeners[i], why);
        const bool is_inherited = listeners[i].kind == ListenSettings::Kind::descriptor;
        if (!fd.ok() && is_inherited) {
            examination.report.add(Found::port_not_passed, listeners[i].text);
            continue;
        }
        if (!fd.ok()) {
            explain_failure(examination, listeners[i], errno);
            continue;
        }
        if (!is_inherited) {
            held[i].reset(fd.value());
        }
        examination.report.add(is_inherited ? Found::port_inherited : Found::port_free, listeners[i].text);
    }
    for (size_t i = 0; i < listeners.size(); ++i) {
        if (held[i].valid()) {
            http::remove_socket_path(listeners[i]);
        }
    }
}

}  // namespace fcgate::doctor
