#include "server/access_line.hpp"

#include "auth/credentials.hpp"
#include "base/features.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/text_table.hpp"
#include "base/wall_time.hpp"

namespace fcgate::server {

namespace {

// What both forms tell in their own ways, in an order that suits both: JSON begins with `site`.
enum Part : uint8_t {
    request_time,
    backend_time,
    queue_time,
    backend,
    cause,
    referer,
    user_agent,
    site,
    method,
    target,
    protocol,
};

struct Row {
    std::string_view name;    // in JSON
    std::string_view before;  // in the other forms
    std::string_view Finished::*text = nullptr;
    uint16_t most = 100;  // bytes of the line, for what clients choose
};

constexpr int64_t Finished::*times[] = {&Finished::request_ms, &Finished::backend_ms, &Finished::queue_ms};

constexpr Row rows[] = {
    {"request_ms", " rt="},
    {"backend_ms", " bt="},
    {"queue_ms", " qt="},
    {"backend", " backend=", &Finished::backend},
    {"cause", " cause="},
    {"referer", " \"", &Finished::referer, 400},
    {"user_agent", "\" \"", &Finished::user_agent, 300},
    {"site", "", &Finished::site},
    {"method", "] \"", &Finished::method, 40},
    {"target", " ", &Finished::target, 1024},
    {"protocol", "", &Finished::version},
};
static_assert(std::size(rows) == protocol + 1);

constexpr auto names = pack_texts<rows, &Row::name, &Row::before>();
constexpr auto texts = pack_column<rows, &Row::text>();
constexpr auto sizes = pack_column<rows, &Row::most>();

// The line in the making, in its own way of writing what is not printable.
class Line {
  public:
    Line(TextBuffer& out, const Finished& finished, bool is_json) : out_(out), finished_(finished), is_json_(is_json) {}

    void add_user() {
        if constexpr (features::auth) {
            auth::Credentials credentials;
            if (credentials.parse(finished_.authorization) == Status::ok) {
                add_text(credentials.user(), limits::user * 4);
                return;
            }
        }
        add_nothing();
    }
    void add_all(Part first, Part last) {
        for (size_t part = first; part <= last; ++part) {
            if (is_json_) {
                out_.append(",\"").append(names[2 * part]).append("\":");
            } else {
                out_.append(names[2 * part + 1]);
            }
            if (part < std::size(times)) {
                add_time(finished_.*times[part]);
            } else if (part == cause) {
                add_text(Text<LogLine::reason_room>(finished_.cause).view(), sizes[part]);
            } else {
                add_text(finished_.*texts[part], sizes[part]);
            }
        }
    }

  private:
    void add_time(int64_t ms) {
        if (ms < 0) {
            add_nothing();
        } else if (is_json_) {
            out_.append_number(static_cast<uint64_t>(ms));
        } else {
            append_seconds(out_, static_cast<uint64_t>(ms));
        }
    }
    void add_nothing() { out_.append(is_json_ ? "null" : "-"); }
    // At most `most` bytes, however many they stand for.
    void add_text(std::string_view text, size_t most) {
        if (text.empty()) {
            add_nothing();
            return;
        }
        const std::string_view quote = is_json_ ? "\"" : "";
        out_.append(quote);
        for (const char c : text) {
            const auto byte = static_cast<unsigned char>(c);
            const bool is_plain = byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\';
            const size_t size = is_plain ? 1 : (is_json_ ? 6 : 4);
            if (most < size + 3) {
                out_.append("...");
                break;
            }
            most -= size;
            if (is_plain) {
                out_.append(c);
            } else {
                const char code[] = {hex_digits[byte >> 4U], hex_digits[byte & 0x0fU]};
                out_.append(is_json_ ? "\\u00" : "\\x").append(std::string_view(code, sizeof code));
            }
        }
        out_.append(quote);
    }

    TextBuffer& out_;
    const Finished& finished_;
    bool is_json_;
};

// "31/Jan/2026:12:00:00 +0100"
void append_common_time(TextBuffer& out, time_t now) {
    tm parts{};
    localtime_r(&now, &parts);
    out.append_padded(static_cast<uint64_t>(parts.tm_mday), 2).append('/');
    out.append(month_name(parts)).append('/');
    out.append_padded(static_cast<uint64_t>(parts.tm_year) + 1900, 4).append(':');
    append_clock(out, parts);
    const bool is_west = parts.tm_gmtoff < 0;
    const auto minutes = static_cast<uint64_t>(is_west ? -parts.tm_gmtoff : parts.tm_gmtoff) / 60;
    out.append(is_west ? " -" : " +").append_padded(minutes / 60, 2).append_padded(minutes % 60, 2);
}

void append_json(TextBuffer& out, const Finished& finished, const timespec& now) {
    Line line(out, finished, true);
    out.append("{\"time\":\"");
    append_utc(out, now);
    out.append("\",\"client\":\"");
    Text<64> asker;
    Text<64> peer;
    finished.asker.print_address(asker);
    finished.client.print_address(peer);
    out.append(asker.view()).append("\",\"proxy\":");
    if (asker.view() != peer.view()) {
        out.append('"').append(peer.view()).append('"');
    } else {
        out.append("null");
    }
    if constexpr (features::auth) {
        out.append(",\"user\":");
        line.add_user();
    }
    line.add_all(site, protocol);
    out.append(",\"status\":").append_number(finished.status).append(",\"bytes\":").append_number(finished.bytes);
    line.add_all(request_time, user_agent);
    out.append(",\"whole\":").append(finished.is_whole ? "true}\n" : "false}\n");
}

void append_common(TextBuffer& out, bool is_combined, const Finished& finished, const timespec& now) {
    Line line(out, finished, false);
    finished.asker.print_address(out);
    out.append(" - ");
    line.add_user();
    out.append(" [");
    append_common_time(out, now.tv_sec);
    if (finished.method.empty() && finished.target.empty()) {
        out.append("] \"-");
    } else {
        line.add_all(method, target);
        if (!finished.version.empty()) {
            out.append(' ');
            line.add_all(protocol, protocol);
        }
    }
    out.append("\" ").append_number(finished.status).append(' ').append_number(finished.bytes);
    if (is_combined) {
        line.add_all(referer, user_agent);
        out.append('"');
    }
    line.add_all(request_time, cause);
    out.append('\n');
}

}  // namespace

AccessForm access_form(std::string_view name) {
    if (name == "json") {
        return AccessForm::json;
    }
    return name == "common" ? AccessForm::common : AccessForm::combined;
}

void append_access_line(TextBuffer& out, AccessForm form, const Finished& finished, const timespec& now) {
    if (form == AccessForm::json) {
        append_json(out, finished, now);
    } else {
        append_common(out, form == AccessForm::combined, finished, now);
    }
}

}  // namespace fcgate::server
