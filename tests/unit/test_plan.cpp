// What is worked out before PHP is started: the program, the users, the folder; and whether one runs already.
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/wait.h>

#include <cstdlib>
#include <new>

#include "spawn/plan.hpp"
#include "temp_tree.hpp"

namespace fcgate::spawn {
namespace {

struct Planned {
    Planned() {
        tree.file("php-fpm", "#!/bin/sh\n", 0755);
        tree.file("no-program", "#!/bin/sh\n", 0644);
        set("backend.address", "spawn");
        set_path("backend.command", "/php-fpm");
        set_path("server.runtime_dir", "/run");
        set("site.root", "/www");
        set("server.listen", ":80");
    }
    void set(std::string_view name, std::string_view value) {
        ConfigError wrong;
        test::check_status(settings.set(name, value, wrong), Status::ok);
    }
    void set_path(std::string_view name, std::string_view path) {
        Text<128> value(tree.path());
        value.append(path);
        set(name, value.view());
    }
    Status make() {
        plan.~Plan();
        new (&plan) Plan();
        error.clear();
        ConfigError wrong;
        test::check_status(settings.check(wrong), Status::ok);
        return make_plan(settings, plan, error);
    }
    void refuses(Status status, std::string_view words) {
        test::check_status(make(), status);
        if (error.view().find(words) == std::string_view::npos) {
            test::check_text(error.view(), words);
        }
    }

    test::TempTree tree;
    Settings settings;
    Plan plan;
    Text<512> error;
};

void a_program_is_found_by_its_command(void**) {
    Planned planned;
    planned.set("site.max_body", "3m");
    test::check_status(planned.make(), Status::ok);
    assert_true(needs_plan(planned.settings));
    assert_true(planned.plan.php[0].used && planned.plan.php[0].is_fpm);
    assert_int_equal(planned.settings.backends[0].largest_body, 3 * 1024 * 1024);
    assert_int_equal(faccessat(planned.tree.fd(), "run", F_OK, 0), 0);
    assert_false(planned.plan.is_private_dir);
    planned.set_path("backend.command", "/no-program -c x");
    planned.refuses(Status::not_found, "/no-program is no program that can be run");
    planned.set_path("backend.command", "/none");
    planned.refuses(Status::not_found, "/none is no program that can be run");
    // Without a command it is one of the usual names, or said how to get one.
    planned.set("backend.command", "");
    const Status usual = planned.make();
    assert_true(usual == Status::ok
                    ? planned.plan.php[0].program.view().starts_with('/')
                    : planned.error.view().find("neither php-fpm nor php-cgi was found") != std::string_view::npos);
}

void what_is_not_spawned_needs_no_plan(void**) {
    Settings settings;
    ConfigError error;
    test::check_status(settings.set("backend.address", "127.0.0.1:9000", error), Status::ok);
    assert_false(needs_plan(settings));
}

// Whoever may write there could put a socket of his own in the place of ours.
void a_folder_that_others_may_write_to_is_refused(void**) {
    Planned planned;
    planned.tree.folder("run", 0777);
    planned.refuses(Status::refused, "nobody else may write to");
    assert_int_equal(fchmodat(planned.tree.fd(), "run", 0755, 0), 0);
    test::check_status(planned.make(), Status::ok);
    planned.set_path("server.runtime_dir", "/php-fpm");
    planned.refuses(Status::refused, "nobody else may write to");
    planned.tree.link("run", "link");
    planned.set_path("server.runtime_dir", "/link");
    planned.refuses(Status::refused, "nobody else may write to");
    planned.set_path("server.runtime_dir", "/none/run");
    planned.refuses(Status::not_found, "/none/run: No such file or directory");
    if (geteuid() == 0) {
        planned.set_path("server.runtime_dir", "/run");
        assert_int_equal(fchownat(planned.tree.fd(), "run", 65534, 65534, 0), 0);
        planned.refuses(Status::refused, "nobody else may write to");
    }
}

// Those the system says that the user has.
void expect_groups(const Plan& plan, const char* user) {
    std::array<gid_t, Plan::most_groups> groups{};
    int count = Plan::most_groups;
    assert_true(getgrouplist(user, plan.php_group, groups.data(), &count) > 0);
    assert_int_equal(plan.php_group_count, count);
    assert_memory_equal(plan.php_groups.data(), groups.data(), static_cast<size_t>(count) * sizeof(gid_t));
}

// Root's PHP never is root by accident; only root has a choice.
void users_are_looked_up(void**) {
    Planned planned;
    test::check_status(planned.make(), Status::ok);
    if (geteuid() != 0) {
        assert_int_equal(planned.plan.php_user, geteuid());
        assert_false(planned.plan.changes_user);
        return;
    }
    assert_true(planned.plan.changes_user && planned.plan.php_user != 0);
    assert_int_equal(planned.plan.server_user, 0);
    planned.set("server.user", "daemon");
    test::check_status(planned.make(), Status::ok);
    assert_true(planned.plan.server_user == planned.plan.php_user && planned.plan.php_user != 0);
    expect_groups(planned.plan, "daemon");
    planned.set("server.group", "root");
    test::check_status(planned.make(), Status::ok);
    assert_int_equal(planned.plan.php_group, 0);
    expect_groups(planned.plan, "daemon");
    planned.set("server.group", "54322");
    test::check_status(planned.make(), Status::ok);
    assert_int_equal(planned.plan.php_group, 54322);
    // By number as well.
    planned.set("server.user", "1");
    test::check_status(planned.make(), Status::ok);
    assert_int_equal(planned.plan.php_user, 1);
    expect_groups(planned.plan, "daemon");
    // Even one that no user has.
    planned.set("server.user", "54321");
    test::check_status(planned.make(), Status::ok);
    assert_true(planned.plan.php_user == 54321 && planned.plan.server_user == 54321 && planned.plan.changes_user);
    assert_true(planned.plan.php_group_count == 1 && planned.plan.php_groups[0] == 54322);
    planned.set("server.group", "");
    planned.refuses(Status::malformed, "user: there is no user 54321");
    planned.set("server.group", "nobody-has-this");
    planned.refuses(Status::malformed, "group: there is no group nobody-has-this");
    planned.set("server.user", "4294967296");
    planned.refuses(Status::malformed, "user: there is no user 4294967296");
    planned.set("server.user", "nobody-has-this");
    planned.refuses(Status::malformed, "user: there is no user nobody-has-this");
}

// Who is not root has a folder of his own, below TMPDIR.
void without_rights_the_folder_is_a_private_one(void**) {
    Planned planned;
    planned.set("server.runtime_dir", "");
    planned.tree.folder("tmp", 0777);
    Text<64> base(planned.tree.path());
    base.append("/tmp");
    assert_int_equal(setenv("TMPDIR", base.c_str(), 1), 0);
    assert_int_equal(
        test::without_rights([&] {
            const bool made = planned.make() == Status::ok && planned.plan.is_private_dir &&
                              !planned.plan.changes_user && starts_with(planned.plan.runtime_dir.view(), base.view());
            if (made) {
                (void)rmdir(planned.plan.runtime_dir.c_str());
            }
            (void)setenv("TMPDIR", "/none", 1);
            const bool fails = planned.make() == Status::not_found &&
                               planned.error.view().find("cannot make /none/fcgate-") != std::string_view::npos;
            bool usual = true;
            for (const char* const unfit : {"relative", "", "/none/a;b"}) {
                (void)setenv("TMPDIR", unfit, 1);
                usual = usual && planned.make() == Status::ok &&
                        starts_with(planned.plan.runtime_dir.view(), "/tmp/fcgate-");
                (void)rmdir(planned.plan.runtime_dir.c_str());
            }
            return made && fails && usual ? 0 : 1;
        }),
        0);
    (void)unsetenv("TMPDIR");
}

// Two of one process may share a runtime folder.
void each_server_has_sockets_of_its_own(void**) {
    Planned first;
    Planned second;
    Text<limits::path> paths[2];
    test::check_status(first.make(), Status::ok);
    test::check_status(second.make(), Status::ok);
    print_socket_path(first.plan, 0, 1, paths[0]);
    print_socket_path(second.plan, 0, 1, paths[1]);
    assert_true(slice(paths[0].view(), paths[0].view().rfind('/')) !=
                slice(paths[1].view(), paths[1].view().rfind('/')));
}

// What a php-fpm would say to FCGI_GET_VALUES, once; anything else that listens is none.
[[nodiscard]] pid_t answer_at(int listener, std::string_view answer) {
    const pid_t child = fork();
    if (child == 0) {
        pollfd waiting{listener, POLLIN, 0};
        const int fd = poll(&waiting, 1, 10'000) == 1 ? accept(listener, nullptr, nullptr) : -1;
        char question[64];
        const bool good = fd >= 0 && recv(fd, question, sizeof question, 0) > 0 &&
                          send(fd, answer.data(), answer.size(), MSG_NOSIGNAL) > 0;
        _exit(good ? 0 : 1);
    }
    return child;
}

// Somebody who listens at 127.0.0.1, and never answers.
int listen_somewhere(Text<128>& at) {
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    assert_int_equal(bind(listener, reinterpret_cast<const sockaddr*>(&address), size), 0);
    assert_int_equal(listen(listener, 4), 0);
    assert_int_equal(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
    at.append<"127.0.0.1:%">(ntohs(address.sin_port));
    return listener;
}

// A php-fpm that is busy does not answer.
void a_reload_keeps_what_was_found(void**) {
    const auto set = [](Settings& settings, std::string_view name, std::string_view value) {
        ConfigError wrong;
        test::check_status(settings.set(name, value, wrong), Status::ok);
    };
    const auto resolve = [&set](const Settings& in_force, Settings& next, Text<128>& address) {
        // In another order.
        for (const std::string_view name : {"backend:b.address", "backend:a.address"}) {
            set(next, name, "auto");
        }
        ConfigError wrong;
        test::check_status(resolve_automatic(next, wrong, &in_force), Status::ok);
        address.clear();
        test::check_status(next.get("backend:a.address", address), Status::ok);
    };
    Text<128> found;
    const int listener = listen_somewhere(found);
    Settings in_force;
    set(in_force, "backend:a.address", found.view());
    in_force.backends[0].was_automatic = true;
    set(in_force, "backend:b.address", found.view());
    Settings next;
    Text<128> address;
    resolve(in_force, next, address);
    test::check_text(address.view(), found.view());
    // What somebody has chosen was not found.
    Text<128> other;
    test::check_status(next.get("backend:b.address", other), Status::ok);
    assert_true(other.view() != found.view());
    // And it is kept for the next one, until nobody is there any more.
    Settings third;
    resolve(next, third, address);
    test::check_text(address.view(), found.view());
    close(listener);
    Settings fourth;
    resolve(third, fourth, address);
    assert_true(address.view() != found.view());
}

void a_php_fpm_that_answers_is_taken_as_it_is(void**) {
    const auto resolve = [](Text<128>& address) {
        Planned planned;
        planned.set("backend.command", "");
        planned.set("backend.address", "");
        planned.set("backend.address", "auto");
        planned.set("backend:named.address", "127.0.0.1:1");
        ConfigError wrong;
        test::check_status(resolve_automatic(planned.settings, wrong), Status::ok);
        test::check_status(planned.settings.get("backend.address", address), Status::ok);
    };
    Text<128> without;
    resolve(without);
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(9000);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    // A machine that has one, or somebody else there, shows that alone.
    if (without.view() != "spawn" || bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        listen(listener, 4) != 0) {
        close(listener);
        assert_true(without.view() == "spawn" || without.view().find(':') != std::string_view::npos);
        return;
    }
    constexpr struct {
        std::string_view answer;
        std::string_view address;
    } all[] = {
        {{"\1\12\0\0\0\0\0\0", 8}, "127.0.0.1:9000"},
        {{"\1\3\0\0\0\0\0\0", 8}, "spawn"},
        {"HTTP/1.1 400 Bad Request\r\n", "spawn"},
        {"\1", "spawn"},
    };
    for (const auto& one : all) {
        const pid_t child = answer_at(listener, one.answer);
        Text<128> found;
        resolve(found);
        int status = 1;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        test::check_text(found.view(), one.address);
    }
    close(listener);
}

}  // namespace
}  // namespace fcgate::spawn

int main() {
    using namespace fcgate::spawn;
    const CMUnitTest tests[] = {
        cmocka_unit_test(a_program_is_found_by_its_command),
        cmocka_unit_test(what_is_not_spawned_needs_no_plan),
        cmocka_unit_test(a_folder_that_others_may_write_to_is_refused),
        cmocka_unit_test(users_are_looked_up),
        cmocka_unit_test(without_rights_the_folder_is_a_private_one),
        cmocka_unit_test(each_server_has_sockets_of_its_own),
        cmocka_unit_test(a_php_fpm_that_answers_is_taken_as_it_is),
        cmocka_unit_test(a_reload_keeps_what_was_found),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
