// A site over a temporary tree, and checks of what is decided for a target.
#pragma once

#include <array>

#include "route/router.hpp"
#include "temp_tree.hpp"
#include "test_support.hpp"

namespace fcgate::test {

inline route::Decision decide(const route::SiteRoot& root, std::string_view method, const route::Target& target,
                              std::span<char> buffer) {
    route::Decision decision;
    route::decide(root, method, target, buffer, decision);
    return decision;
}

// A site over a temporary tree.
struct RouteFixture {
    RouteFixture() {
        assert_true(settings.index.push_back("index.php"));
        assert_true(settings.index.push_back("index.html"));
    }

    route::Decision ask(std::string_view raw_target, std::string_view method = "GET") {
        route::Target target;
        assert_true(route::split_target(raw_target, target) == Status::ok);
        return decide({.settings = &settings, .fd = tree.fd()}, method, target, buffer);
    }

    void refused(std::string_view target, unsigned status, const char* file = __builtin_FILE(),
                 int line = __builtin_LINE()) {
        const route::Decision decision = ask(target);
        check_kind(decision, route::Decision::Kind::refuse, target, file, line);
        if (decision.status != status || decision.reason.empty()) {
            print_error("%.*s: %u (%s) is not %u\n", static_cast<int>(target.size()), target.data(), decision.status,
                        Text<128>(decision.reason).c_str(), status);
            _fail(file, line);
        }
    }
    void served(std::string_view target, std::string_view path, const char* file = __builtin_FILE(),
                int line = __builtin_LINE()) {
        const route::Decision decision = ask(target);
        check_kind(decision, route::Decision::Kind::file, target, file, line);
        check_text(decision.path, path, file, line);
    }
    void redirected(std::string_view target, std::string_view path, const char* file = __builtin_FILE(),
                    int line = __builtin_LINE()) {
        const route::Decision decision = ask(target);
        check_kind(decision, route::Decision::Kind::redirect, target, file, line);
        check_text(decision.path, path, file, line);
    }
    void run(std::string_view target, std::string_view script_name, std::string_view path_info,
             const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
        const route::Decision decision = ask(target);
        check_kind(decision, route::Decision::Kind::script, target, file, line);
        check_text(decision.script_name, script_name, file, line);
        check_text(decision.path_info, path_info, file, line);
    }

    static void check_kind(const route::Decision& decision, route::Decision::Kind kind, std::string_view target,
                           const char* file, int line) {
        if (decision.kind != kind) {
            print_error("%.*s: kind %d is not %d (%s)\n", static_cast<int>(target.size()), target.data(),
                        static_cast<int>(decision.kind), static_cast<int>(kind), Text<128>(decision.reason).c_str());
            _fail(file, line);
        }
    }

    TempTree tree;
    SiteSettings settings;
    std::array<char, route::decision_buffer> buffer{};
};

}  // namespace fcgate::test
