// Owns: the account of all memory that a process with these settings can take: what is carved from the arena, what libmicrohttpd allocates
// within its limits, stacks, configuration, the program's own data. What it leaves out: code and other pages of files, which the kernel can
// drop and processes share; the kernel's socket buffers; PHP; bodies of replies that handlers of a host give.
// Borrows: the settings, while it reckons; they have passed check().
// Must not touch: memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/fixed_list.hpp"
#include "base/status.hpp"
#include "base/text.hpp"
#include "config/settings.hpp"
#include "server/pools.hpp"

namespace fcgate::server {

struct BudgetLine {
    const char* group;
    Packed name;
    size_t size;
    size_t count;

    [[nodiscard]] uint64_t bytes() const { return uint64_t{size} * count; }
};

class Budget {
  public:
    explicit Budget(const Settings& settings);

    [[nodiscard]] const BudgetLine* begin() const { return lines_.begin(); }
    [[nodiscard]] const BudgetLine* end() const { return lines_.end(); }
    [[nodiscard]] uint64_t sum() const;
    [[nodiscard]] bool fits() const { return ceiling_ == 0 || sum() <= ceiling_; }

    // A table for people; one JSON object. They cannot be larger than FCGATE_BUDGET_MAX.
    void print_table(TextBuffer& out) const;
    void print_json(TextBuffer& out) const;

  private:
    void add(Packed name, size_t size, size_t count);
    void add_arena(const Pools& pools);
    void add_libmicrohttpd(const Settings& settings, const Pools& pools);
    void add_process(const Settings& settings);

    const char* group_ = nullptr;  // of the lines that are added now
    FixedList<BudgetLine, 48> lines_;
    uint64_t ceiling_ = 0;
    uint64_t spool_ = 0;  // of files; memory where they lie on tmpfs
};

// too_large: the settings can take more than their `memory_ceiling`.
[[nodiscard]] Status check_ceiling(const Settings& settings, ConfigError& error);

}  // namespace fcgate::server
