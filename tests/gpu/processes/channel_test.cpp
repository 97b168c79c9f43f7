#include "gpu/processes/channel.hpp"

#include "messages/error.hpp"

#include <boost/json/object.hpp>
#include <caf/init_global_meta_objects.hpp>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/socket.h>

namespace lathe::gpu::testing {

using namespace std::chrono_literals;

class channel : public ::testing::Test {
protected:
  void SetUp() override {
    caf::core::init_global_meta_objects();
    auto ends = gpu::channel::make();
    ASSERT_TRUE(ends);
    ours = std::make_unique<gpu::channel>(std::move(ends->first));
    theirs = std::move(ends->second);
  }

  // Sends `text` from the other end, with `count` copies of a descriptor.
  void say(std::string text, std::size_t count = 0) {
    std::vector<int> fds(count, theirs.get());
    std::vector<char> control(CMSG_SPACE(count * sizeof(int)));
    iovec content{text.data(), text.size()};
    msghdr header{};
    header.msg_iov = &content;
    header.msg_iovlen = 1;
    if (count > 0) {
      header.msg_control = control.data();
      header.msg_controllen = control.size();
      auto part = CMSG_FIRSTHDR(&header);
      part->cmsg_level = SOL_SOCKET;
      part->cmsg_type = SCM_RIGHTS;
      part->cmsg_len = CMSG_LEN(count * sizeof(int));
      std::copy(fds.begin(), fds.end(), reinterpret_cast<int*>(CMSG_DATA(part)));
    }
    ASSERT_EQ(::sendmsg(theirs.get(), &header, 0), static_cast<ssize_t>(text.size()));
  }

  static int open_descriptors() {
    int count = 0;
    for (int fd = 0; fd < 256; ++fd)
      count += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    return count;
  }

  std::unique_ptr<gpu::channel> ours;
  unique_fd theirs;
};

TEST_F(channel, carries_a_message_and_its_descriptors) {
  say("hello", 2);
  auto message = ours->receive_within(1s);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->text, "hello");
  EXPECT_EQ(message->fds.size(), 2u);
  EXPECT_EQ(::fcntl(message->fds[0].get(), F_GETFD), FD_CLOEXEC);
}

TEST_F(channel, has_nothing_before_something_was_sent) {
  auto message = ours->receive();
  ASSERT_TRUE(message);
  EXPECT_FALSE(*message);
  EXPECT_EQ(ours->receive_within(1ms).error(), errc::timed_out);
}

TEST_F(channel, says_when_the_other_end_is_gone) {
  theirs.reset();
  EXPECT_FALSE(ours->receive());
  EXPECT_TRUE(ours->send({{"op", "run"}}));
}

TEST_F(channel, reads_what_was_sent_before_the_other_end_went) {
  say("farewell");
  theirs.reset();
  auto message = ours->receive_within(1s);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->text, "farewell");
}

TEST_F(channel, refuses_a_message_that_is_too_large) {
  int size = 1 << 20;
  ::setsockopt(theirs.get(), SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
  say(std::string(gpu::channel::max_message_size + 1, 'x'));
  EXPECT_FALSE(ours->receive());
}

TEST_F(channel, closes_descriptors_that_it_did_not_expect) {
  auto before = open_descriptors();
  say("flood", 40);
  EXPECT_FALSE(ours->receive());
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(channel, does_not_wait_for_a_reader_that_does_not_read) {
  boost::json::object request{{"text", std::string(100'000, 'x')}};
  caf::error err;
  for (int i = 0; i < 100 && !err; ++i)
    err = ours->send(request);
  EXPECT_EQ(err, errc::evaluator_failed);
}

} // namespace lathe::gpu::testing
