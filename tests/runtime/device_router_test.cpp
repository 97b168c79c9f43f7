#include "runtime/device_router.hpp"

#include "messages/error.hpp"

#include "tests/support/test_system.hpp"

#include <caf/actor_system.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

using namespace lathe;
using namespace lathe::runtime;
using testing::ElementsAre;
using testing::IsEmpty;

namespace {

// -- places -----------------------------------------------------------------------------

TEST(session_places, deal_out_sessions_evenly_and_keep_them_there) {
  session_places places{2};
  EXPECT_EQ(places.of("a"), 0U);
  EXPECT_EQ(places.of("b"), 1U);
  EXPECT_EQ(places.of("c"), 0U);
  EXPECT_EQ(places.of("b"), 1U);
}

TEST(session_places, take_sessions_from_a_lost_device_to_the_emptiest_of_the_others) {
  session_places places{3};
  for (auto name : {"a", "b", "c", "d", "e"})
    places.of(name); // a d, b e, c
  places.lose(0);
  EXPECT_TRUE(places.any_left());
  EXPECT_EQ(places.of("a"), 2U);
  EXPECT_EQ(places.of("d"), 1U);
  EXPECT_EQ(places.of("b"), 1U);
}

TEST(session_places, leave_sessions_where_they_are_when_no_device_is_left) {
  session_places places{2};
  places.of("a");
  places.of("b");
  places.lose(0);
  places.lose(1);
  EXPECT_FALSE(places.any_left());
  EXPECT_EQ(places.of("b"), 1U);
}

TEST(session_places, send_the_next_session_to_where_one_has_left) {
  session_places places{2};
  for (auto name : {"a", "b", "c"})
    places.of(name); // a c, b
  places.leave("a");
  places.leave("c");
  EXPECT_EQ(places.of("d"), 0U);
}

// -- the actor --------------------------------------------------------------------------

// The evaluator of a device that can break.
struct fake_device {
  explicit fake_device(std::string called) : name(std::move(called)) {
    // nop
  }

  caf::error loss() const {
    return make_error(errc::device_lost, name + " is gone");
  }

  std::string name;
  std::atomic<bool> lost = false;
  std::atomic<bool> breaks_when_asked = false; // for the next verdict
  std::atomic<bool> prepares = true;
  std::atomic<int> prepared = 0;
  std::atomic<bool> released = false;
};

using device_ptr = std::shared_ptr<fake_device>;

evaluator_actor::behavior_type run_device(device_ptr device) {
  return {
    [device](prepare_request&) -> caf::result<task_profile> {
      if (device->lost)
        return device->loss();
      if (!device->prepares)
        return make_error(errc::bad_task, "the reference broke on " + device->name);
      ++device->prepared;
      task_profile result;
      result.where.device = device->name;
      return result;
    },
    [device](evaluation_request&) -> caf::result<verdict> {
      if (device->breaks_when_asked.exchange(false))
        device->lost = true;
      if (device->lost)
        return device->loss();
      verdict result;
      result.evidence = device->name;
      return result;
    },
    [device](recipe_request&) -> caf::result<recipe_book> {
      recipe_book result;
      result.declined.push_back(device->name);
      return result;
    },
    [device](const task_release& x) { device->released = x.session == "b"; },
  };
}

class device_router : public testing::Test {
protected:
  device_router() {
    for (auto name : {"cuda:0", "cuda:1"}) {
      devices.push_back(std::make_shared<fake_device>(name));
      fronts.push_back(sys().spawn([x = devices.back()] { return run_device(x); }));
    }
    router = spawn_device_router(sys(), fronts, [this](const session_id& name, std::size_t place) {
      std::lock_guard guard{mutex};
      told.push_back(name + " goes to " + std::to_string(place));
    });
  }

  void TearDown() override {
    caf::anon_send_exit(router, caf::exit_reason::user_shutdown);
    for (auto& x : fronts)
      caf::anon_send_exit(x, caf::exit_reason::user_shutdown);
  }

  caf::actor_system& sys() {
    return system.get();
  }

  // The device that answered, or the error.
  std::string prepare(const session_id& name) {
    prepare_request request;
    request.subject.name = name;
    std::string answer;
    caf::scoped_actor self{sys()};
    self->request(router, caf::infinite, std::move(request))
      .receive([&](task_profile& x) { answer = x.where.device; },
               [&](const caf::error& why) { answer = describe(why); });
    return answer;
  }

  // The devices that answered so many requests at once, or the errors.
  std::vector<std::string> evaluate(const session_id& name, std::size_t count = 1) {
    caf::scoped_actor self{sys()};
    std::vector<std::string> result;
    for (std::size_t i = 0; i < count; ++i) {
      evaluation_request request;
      request.session = name;
      request.id = i + 1;
      self->send(router, std::move(request));
    }
    for (std::size_t i = 0; i < count; ++i)
      self->receive([&](verdict& x) { result.push_back(x.evidence); },
                    [&](caf::error& why) { result.push_back(describe(why)); });
    return result;
  }

  std::string recipes_of(const session_id& name) {
    caf::scoped_actor self{sys()};
    std::string result;
    recipe_request request;
    request.session = name;
    self->request(router, caf::infinite, std::move(request))
      .receive([&](recipe_book& x) { result = x.declined.at(0); },
               [&](const caf::error& why) { result = describe(why); });
    return result;
  }

  std::vector<std::string> moves() {
    std::lock_guard guard{mutex};
    return told;
  }

  test::test_system system;
  std::vector<device_ptr> devices;
  std::vector<evaluator_actor> fronts;
  evaluator_actor router;
  std::mutex mutex;
  std::vector<std::string> told; // guarded by it
};

TEST_F(device_router, judges_candidates_where_their_task_was_prepared) {
  EXPECT_EQ(prepare("a"), "cuda:0");
  EXPECT_EQ(prepare("b"), "cuda:1");
  EXPECT_THAT(evaluate("b", 2), ElementsAre("cuda:1", "cuda:1"));
  EXPECT_THAT(evaluate("a"), ElementsAre("cuda:0"));
  EXPECT_THAT(moves(), IsEmpty());
}

TEST_F(device_router, goes_on_on_another_device_when_one_is_lost) {
  prepare("a");
  prepare("b");
  devices[0]->breaks_when_asked = true;
  EXPECT_THAT(evaluate("a", 3), ElementsAre("cuda:1", "cuda:1", "cuda:1"));
  EXPECT_EQ(devices[1]->prepared, 2); // of b, and of a once for all three
  EXPECT_THAT(moves(), ElementsAre("a goes to 1"));
  EXPECT_THAT(evaluate("b"), ElementsAre("cuda:1"));
}

TEST_F(device_router, prepares_a_task_elsewhere_when_its_device_is_lost_meanwhile) {
  devices[0]->lost = true;
  EXPECT_EQ(prepare("a"), "cuda:1");
  EXPECT_THAT(evaluate("a"), ElementsAre("cuda:1"));
  EXPECT_EQ(devices[1]->prepared, 1);
}

TEST_F(device_router, answers_that_the_device_is_lost_when_none_is_left) {
  prepare("a");
  devices[0]->lost = true;
  devices[1]->lost = true;
  EXPECT_THAT(evaluate("a", 2), ElementsAre("cuda:1 is gone", "cuda:1 is gone"));
  EXPECT_EQ(prepare("b"), "cuda:0 is gone");
}

TEST_F(device_router, passes_on_why_a_task_cannot_be_prepared_elsewhere_and_tries_again) {
  prepare("a");
  devices[0]->lost = true;
  devices[1]->prepares = false;
  EXPECT_THAT(evaluate("a"), ElementsAre("the reference broke on cuda:1"));
  devices[1]->prepares = true;
  EXPECT_THAT(evaluate("a"), ElementsAre("cuda:1"));
}

TEST_F(device_router, runs_recipes_where_their_task_was_prepared) {
  prepare("a");
  prepare("b");
  EXPECT_EQ(recipes_of("b"), "cuda:1");
  EXPECT_EQ(recipes_of("a"), "cuda:0");
}

TEST_F(device_router, runs_recipes_on_a_device_that_is_left) {
  prepare("a");
  devices[0]->lost = true;
  evaluate("a");
  EXPECT_EQ(recipes_of("a"), "cuda:1");
}

TEST_F(device_router, tells_the_device_of_a_session_that_its_task_is_given_up) {
  prepare("a");
  prepare("b");
  caf::scoped_actor self{sys()};
  self->request(router, caf::infinite, task_release{"b"})
    .receive([] {}, [](const caf::error& why) { FAIL() << describe(why); });
  prepare("c"); // hears of it after that
  EXPECT_TRUE(devices[1]->released);
  EXPECT_FALSE(devices[0]->released);
  EXPECT_THAT(evaluate("c"), ElementsAre("cuda:1"));
}

} // namespace
