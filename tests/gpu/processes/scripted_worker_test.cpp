// Messages that are cut, wrong or never come: a worker that is played, and no sandbox around it.
#include "gpu/processes/worker_process.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <caf/init_global_meta_objects.hpp>
#include <gmock/gmock.h>

#include <array>
#include <csignal>
#include <fcntl.h>
#include <functional>
#include <string>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace lathe;
using namespace lathe::gpu;
using namespace std::chrono_literals;

namespace {

/// The other end of the socket, in a process of its own.
class played_worker {
public:
  explicit played_worker(int socket) : socket_(socket) {
    auto key = boost::json::parse(hear());
    seal_ = reply_seal::from_text(std::string{key.at("key").as_string()});
  }

  std::string hear() const {
    std::string text(channel::max_message_size, '\0');
    auto size = ::recv(socket_, text.data(), text.size(), 0);
    text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return text;
  }

  void say(std::string_view text) const {
    int size = 1 << 20;
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
  }

  std::string sealed(std::string_view text) const {
    return seal_.of(text).append(text);
  }

  void hang_up() const {
    ::close(socket_);
  }

private:
  int socket_;
  reply_seal seal_;
};

using script = std::function<void(const played_worker&)>;

// Says nothing more, and lives until it is killed.
[[noreturn]] void wait_for_the_end() {
  for (;;)
    ::pause();
}

class scripted_worker : public testing::Test {
protected:
  static void SetUpTestSuite() {
    caf::core::init_global_meta_objects();
  }

  ~scripted_worker() override {
    if (pid_ > 0)
      ::waitpid(pid_, nullptr, 0);
  }

  // What one request to a worker that plays `part` comes to.
  reply ask(const script& part, std::chrono::milliseconds limit = 30s) {
    auto ends = channel::make();
    std::array<int, 2> output{};
    EXPECT_EQ(::pipe2(output.data(), O_CLOEXEC), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::setpgid(0, 0);
      auto theirs = ends->second.get();
      { [[maybe_unused]] auto closed = std::move(ends->first); }
      part(played_worker{theirs});
      ::_exit(0);
    }
    ::setpgid(pid_, pid_); // whoever is first
    ends->second.reset();
    ::close(output[1]);
    worker_handles handles{std::move(ends->first),
                           unique_fd{output[0]},
                           unique_fd{static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0))},
                           pid_,
                           {},
                           nullptr};
    worker_process worker{std::move(handles)};
    auto first = worker.call({{"op", "run"}}, {}, limit);
    if (!first.ok()) {
      auto second = worker.call({{"op", "run"}}, {}, limit);
      EXPECT_FALSE(second.ok()) << "there is no way back";
    }
    return first;
  }

  // The same for a worker that hears the request, says `text` and stays.
  reply answered(const std::function<std::string(const played_worker&)>& text) {
    return ask([&](const played_worker& worker) {
      worker.hear();
      worker.say(text(worker));
      wait_for_the_end();
    });
  }

private:
  pid_t pid_ = -1;
};

constexpr auto fine = R"({"id": 1, "ok": true, "ns": [1200, 1300]})";

} // namespace

TEST_F(scripted_worker, a_whole_answer_is_taken) {
  auto answer = answered([](auto& worker) { return worker.sealed(fine); });
  ASSERT_TRUE(answer.ok());
  EXPECT_THAT(*answer.integers("ns"), testing::ElementsAre(1200, 1300));
}

TEST_F(scripted_worker, an_answer_cut_anywhere_is_a_forgery) {
  for (std::size_t size : {1u, 15u, 16u, 17u, 40u}) {
    auto answer = answered([&](auto& worker) { return worker.sealed(fine).substr(0, size); });
    ASSERT_FALSE(answer.ok()) << size;
    EXPECT_EQ(answer.problem().rule, "forged-reply") << size;
  }
}

TEST_F(scripted_worker, half_a_text_under_a_good_seal_is_a_crash) {
  for (auto text :
       {R"({"id": 1, "ok": tr)", "", "[]", R"({"id": 2, "ok": true})", R"({"ok": true})"}) {
    auto answer = answered([&](auto& worker) { return worker.sealed(text); });
    ASSERT_FALSE(answer.ok()) << text;
    EXPECT_EQ(answer.problem().how, outcome::crashed) << text;
    EXPECT_FALSE(answer.problem().from_outside) << text;
  }
}

TEST_F(scripted_worker, a_message_that_is_too_large_is_a_crash) {
  auto answer = answered([](auto&) { return std::string(channel::max_message_size + 1, 'x'); });
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.problem().how, outcome::crashed);
  EXPECT_FALSE(answer.problem().from_outside);
}

TEST_F(scripted_worker, an_answer_that_never_comes_is_waited_for_as_long_as_the_limit_says) {
  auto answer = ask([](auto&) { wait_for_the_end(); }, 50ms);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.problem().how, outcome::timed_out);
  EXPECT_GE(answer.wall, 0.05);
}

TEST_F(scripted_worker, who_hangs_up_and_lives_has_crashed) {
  auto answer = ask([](const played_worker& worker) {
    worker.hear();
    worker.hang_up();
    wait_for_the_end();
  });
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.problem().how, outcome::crashed);
  EXPECT_FALSE(answer.problem().from_outside);
}

TEST_F(scripted_worker, who_goes_without_a_farewell_was_killed_from_outside) {
  auto answer = ask([](const played_worker& worker) { worker.hear(); });
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.problem().how, outcome::crashed);
  EXPECT_TRUE(answer.problem().from_outside);
}

TEST_F(scripted_worker, a_farewell_says_how_it_ended) {
  auto answer = ask([](const played_worker& worker) {
    worker.hear();
    worker.say(R"({"ended": {"signal": "SIGBUS"}})");
  });
  ASSERT_FALSE(answer.ok());
  EXPECT_THAT(answer.problem().message, testing::HasSubstr("SIGBUS"));
  EXPECT_FALSE(answer.problem().from_outside);
}
