#include "runtime/suspension.hpp"

#include <gtest/gtest.h>

using namespace lathe;
using namespace lathe::runtime;

namespace {

session_result waiting(std::map<std::string, std::int32_t> questions) {
  session_result result;
  result.status.state = questions.empty() ? "done" : "suspended";
  result.status.waiting = std::move(questions);
  return result;
}

topology two_mailboxes() {
  topology result;
  result.models.resize(2);
  result.models[0].name = "a";
  result.models[1].name = "b";
  result.models[1].folder = "/mail/b";
  return result;
}

const run_paths here{"runs/r"};

} // namespace

TEST(suspension, a_run_that_waits_for_nobody_has_nothing_to_say) {
  EXPECT_EQ(describe_suspension({waiting({})}, two_mailboxes(), here), "");
}

TEST(suspension, questions_of_all_sessions_are_counted_and_their_files_named) {
  EXPECT_EQ(
    describe_suspension({waiting({{"a", 7}}), waiting({}), waiting({{"a", 5}})}, two_mailboxes(),
                        here),
    "suspended: it waits for 12 questions in runs/r/mailbox/a/requests.jsonl, whose answers "
    "belong into runs/r/mailbox/a/responses.jsonl; go on with: lathe run --resume runs/r");
}

TEST(suspension, each_mailbox_is_named) {
  EXPECT_EQ(
    describe_suspension({waiting({{"a", 2}, {"b", 1}})}, two_mailboxes(), here),
    "suspended: it waits for 2 questions in runs/r/mailbox/a/requests.jsonl, whose answers "
    "belong into runs/r/mailbox/a/responses.jsonl, and for 1 question in "
    "/mail/b/requests.jsonl, whose answers belong into /mail/b/responses.jsonl; go on with: "
    "lathe run --resume runs/r");
}
