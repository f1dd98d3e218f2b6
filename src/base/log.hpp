// Owns: where log lines of one server go: a callback of the host, standard error, a file, or syslog.
// Borrows: the callback's context, as long as the server lives.
// Must not touch: the heap, the flash of the device beyond limits::log_lines_per_second. Lines are built on the stack and written whole, so threads do not mix them. One that cannot
// be written at once is left out, and counted.
#pragma once

#include <atomic>
#include <string_view>

#include "base/limits.hpp"
#include "base/log_level.hpp"
#include "base/output.hpp"
#include "base/status.hpp"
#include "base/text.hpp"

namespace fcgate {

using LogSink = void (*)(void* context, LogLevel level, const char* message);

class Log {
  public:
    void set_level(LogLevel level) { level_ = level; }
    void set_sink(LogSink sink, void* context) {
        sink_ = sink;
        context_ = context;
    }
    // Lines go there from now on; see Output.
    [[nodiscard]] Status open(std::string_view target, SyslogForm form = SyslogForm::rfc5424) {
        return output_.open(target, form);
    }
    [[nodiscard]] Status reopen() { return output_.reopen(); }

    [[nodiscard]] bool wants(LogLevel level) const { return level <= level_; }
    [[nodiscard]] uint32_t lost() const { return lost_.load(); }  // lines that were left out
    void write(LogLevel level, const TextBuffer& message) const;
    void write(LogLevel level, std::string_view message) const;
    void write(LogLevel level, Packed message) const;
    // write<"cannot open %: %">(level, path, SystemError{errno}): see base/pattern.hpp.
    template <packing::Literal Pattern, typename... Values>
    void write(LogLevel level, Values... values) const {
        write_packed(level, pattern::packed<Pattern, Values...>(), pattern::passed(values)...);
    }

  private:
    LogSink sink_ = nullptr;
    void* context_ = nullptr;
    void write_packed(LogLevel level, Packed pattern, ...) const;
    [[nodiscard]] bool admit() const;
    void put(LogLevel level, std::string_view message) const;
    [[nodiscard]] bool emit(LogLevel level, std::string_view message) const;

    mutable std::atomic<uint32_t> second_{
        0};  // for which lines are counted; no more bits than every machine has atomics for
    mutable std::atomic<uint32_t> lines_{0};      // in it
    mutable std::atomic<uint32_t> lost_{0};       // in all, modulo 2^32
    mutable std::atomic<uint32_t> unwritten_{0};  // since the last line that could be written
    Output output_;
    std::atomic<LogLevel> level_{LogLevel::info};  // a reload sets it while lines are written
};

// One line in the making: `LogLine(log, LogLevel::error).add("listen "_p).add(address).send();`
class LogLine {
  public:
    static constexpr size_t reason_room = 32;  // of a reason with all that is around it

    LogLine(const Log& log, LogLevel level);

    LogLine& add(std::string_view text);
    LogLine& add(Packed text);
    // add<"listening on %">(address): see base/pattern.hpp.
    template <packing::Literal Pattern, typename... Values>
    LogLine& add(Values... values) {
        return add_packed(pattern::packed<Pattern, Values...>(), pattern::passed(values)...);
    }
    void add_list(Packed pattern, va_list values);
    LogLine& add_number(uint64_t value) {
        text_.append_number(value);
        return *this;
    }
    LogLine& add_escaped(std::string_view text) {
        text_.append_escaped(text);
        return *this;
    }
    // The last word of a line about a refusal or a failure: its stable name, which docs/errors.md explains.
    LogLine& add_reason(Packed code);
    [[nodiscard]] TextBuffer& text() { return text_; }
    void send() { log_.write(level_, text_.view()); }

  private:
    LogLine& add_packed(Packed pattern, ...);

    const Log& log_;
    LogLevel level_;
    Text<limits::log_line> text_;
};

[[nodiscard]] std::string_view log_level_name(LogLevel level);

}  // namespace fcgate
