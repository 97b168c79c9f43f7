#include "runtime/journal/journal_actor.hpp"

#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <chrono>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

namespace lathe::runtime {

namespace {

// Someone who waits for a transaction.
struct waiting_append {
  caf::typed_response_promise<std::int64_t> promise;
  std::size_t end; // one past its last record in the batch
};

template <class T>
void move_to_end(std::vector<T>& from, std::vector<T>& to) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

struct journal_state {
  static inline const char* name = "journal";

  explicit journal_state(journal_actor::pointer selfptr) : self(selfptr) {
    // nop
  }

  // -- callbacks for the behavior -----------------------------------------------------

  caf::result<std::int64_t> append(journal_append& x) {
    auto promise = self->make_response_promise<std::int64_t>();
    auto now = options.now();
    for (auto& record : x.records)
      record.time = now;
    move_to_end(x.records, batch.records);
    move_to_end(x.contents, batch.contents);
    waiting.push_back({promise, batch.records.size()});
    if (waiting.size() >= options.largest_batch)
      static_cast<void>(write()); // who waits gets the error
    else if (waiting.size() == 1)
      write_after_mailbox();
    return promise;
  }

  caf::result<void> flush() {
    if (auto err = write())
      return err;
    return caf::unit;
  }

  void stop(caf::exit_msg& x) {
    static_cast<void>(write());
    static_cast<void>(store->sync());
    self->quit(std::move(x.reason));
  }

  // -- helpers ------------------------------------------------------------------------

  // The message to itself arrives behind all that is in the mailbox now. A request, because the
  // answer to a plain message would be one more message, and an error among them ends an actor.
  void write_after_mailbox() {
    self->request(journal_actor{self}, caf::infinite, flush_atom_v)
      .then([] {}, [](const caf::error&) {});
  }

  // Writes the batch and answers those who wait for it.
  caf::error write() {
    if (waiting.empty())
      return {};
    auto last = store->append(batch.records, batch.contents);
    auto records = static_cast<std::int64_t>(batch.records.size());
    for (auto& [promise, end] : std::exchange(waiting, {}))
      if (last)
        promise.deliver(*last - (records - static_cast<std::int64_t>(end)));
      else
        promise.deliver(last.error());
    batch = {};
    sync_later();
    return last ? caf::error{} : last.error();
  }

  void sync_later() {
    if (std::exchange(sync_is_due, true))
      return;
    self->run_delayed(options.sync_interval, [this] {
      sync_is_due = false;
      static_cast<void>(store->sync()); // what keeps it from syncing fails the next append too
    });
  }

  // -- state --------------------------------------------------------------------------

  journal_actor::pointer self;
  std::shared_ptr<journal_store> store;
  journal_options options;
  journal_append batch;
  std::vector<waiting_append> waiting; // in the order of the batch's records
  bool sync_is_due = false;
};

journal_actor::behavior_type run(journal_actor::stateful_pointer<journal_state> self,
                                 std::shared_ptr<journal_store> store, journal_options options) {
  self->state.store = std::move(store);
  self->state.options = std::move(options);
  self->set_exit_handler([self](caf::exit_msg& x) { self->state.stop(x); });
  return {
    [self](journal_append& x) { return self->state.append(x); },
    [self](flush_atom) { return self->state.flush(); },
  };
}

} // namespace

double seconds_since_epoch() {
  auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>{now}.count();
}

journal_actor spawn_journal(caf::actor_system& sys, journal_store store, journal_options options) {
  return sys.spawn<caf::detached>(run, std::make_shared<journal_store>(std::move(store)),
                                  std::move(options));
}

} // namespace lathe::runtime
