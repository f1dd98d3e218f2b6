#include "server/access_line.hpp"

#include "base/limits.hpp"
#include "base/wall_time.hpp"

namespace fcgate::server {

namespace {

// Bytes of the line, for what clients choose.
constexpr size_t most_of_method = 40;
constexpr size_t most_of_target = 1024;
constexpr size_t most_of_referer = 400;
constexpr size_t most_of_agent = 300;
constexpr size_t most_of_name = 100;

// The line in the making, in its own way of writing what is not printable.
class Line {
  public:
    Line(TextBuffer& out, AccessForm form) : out_(out), is_json_(form == AccessForm::json) {}

    // At most `most` bytes, however many they stand for.
    Line& text(std::string_view text, size_t most) {
        static constexpr char digits[] = "0123456789abcdef";
        size_t left = most;
        for (const char c : text) {
            const auto byte = static_cast<unsigned char>(c);
            const bool is_plain = byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\';
            const size_t size = is_plain ? 1 : (is_json_ ? 6 : 4);
            if (left < size + 3) {
                out_.append("...");
                break;
            }
            left -= size;
            if (is_plain) {
                out_.append(c);
            } else {
                const char code[] = {digits[byte >> 4U], digits[byte & 0x0fU]};
                out_.append(is_json_ ? "\\u00" : "\\x").append(std::string_view(code, sizeof code));
            }
        }
        return *this;
    }
    Line& plain(std::string_view words) {
        out_.append(words);
        return *this;
    }
    // `between`, then the text or a dash.
    Line& or_dash(std::string_view between, std::string_view text, size_t most) {
        return plain(between).text(text.empty() ? "-" : text, most);
    }
    // ,"name":"text" or, where there is none, null
    Line& member(std::string_view name, std::string_view text, size_t most) {
        plain(",\"").plain(name);
        return text.empty() ? plain("\":null") : plain("\":\"").Line::text(text, most).plain("\"");
    }
    Line& number(std::string_view name, int64_t value) {
        plain(",\"").plain(name).plain("\":");
        if (value < 0) {
            return plain("null");
        }
        out_.append_number(static_cast<uint64_t>(value));
        return *this;
    }
    // " name=1.234", or a dash
    Line& seconds(std::string_view name, int64_t ms) {
        plain(name);
        if (ms < 0) {
            return plain("-");
        }
        out_.append_number(static_cast<uint64_t>(ms) / 1000).append('.');
        out_.append_padded(static_cast<uint64_t>(ms) % 1000, 3);
        return *this;
    }
    TextBuffer& out() { return out_; }

  private:
    TextBuffer& out_;
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

void append_json(Line line, const Finished& finished, const timespec& now) {
    TextBuffer& out = line.out();
    out.append("{\"time\":\"");
    append_utc(out, now);
    out.append("\",\"client\":\"");
    finished.asker.print_address(out);
    out.append('"');
    Text<64> asker;
    Text<64> peer;
    finished.asker.print_address(asker);
    finished.client.print_address(peer);
    line.member("proxy", asker.view() != peer.view() ? peer.view() : std::string_view(), most_of_name)
        .member("site", finished.site, most_of_name)
        .member("method", finished.method, most_of_method)
        .member("target", finished.target, most_of_target)
        .member("protocol", finished.version, most_of_name)
        .number("status", finished.status)
        .number("bytes", static_cast<int64_t>(finished.bytes))
        .number("request_ms", finished.request_ms)
        .number("backend_ms", finished.backend_ms)
        .number("queue_ms", finished.queue_ms)
        .member("backend", finished.backend, most_of_name)
        .member("cause", finished.cause, most_of_name)
        .member("referer", finished.referer, most_of_referer)
        .member("user_agent", finished.user_agent, most_of_agent)
        .plain(finished.is_whole ? ",\"whole\":true}\n" : ",\"whole\":false}\n");
}

void append_common(Line line, bool is_combined, const Finished& finished, const timespec& now) {
    TextBuffer& out = line.out();
    finished.asker.print_address(out);
    out.append(" - - [");
    append_common_time(out, now.tv_sec);
    if (finished.method.empty() && finished.target.empty()) {
        line.plain("] \"-");
    } else {
        line.or_dash("] \"", finished.method, most_of_method).or_dash(" ", finished.target, most_of_target);
        line.plain(finished.version.empty() ? "" : " ").text(finished.version, most_of_name);
    }
    out.append("\" ").append_number(finished.status).append(' ').append_number(finished.bytes);
    if (is_combined) {
        line.or_dash(" \"", finished.referer, most_of_referer).or_dash("\" \"", finished.user_agent, most_of_agent);
        line.plain("\"");
    }
    line.seconds(" rt=", finished.request_ms).seconds(" bt=", finished.backend_ms);
    line.seconds(" qt=", finished.queue_ms).or_dash(" backend=", finished.backend, most_of_name);
    line.or_dash(" cause=", finished.cause, most_of_name).plain("\n");
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
        append_json({out, form}, finished, now);
    } else {
        append_common({out, form}, form == AccessForm::combined, finished, now);
    }
}

}  // namespace fcgate::server
