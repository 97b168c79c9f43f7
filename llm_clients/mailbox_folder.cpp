#include "llm_clients/mailbox_folder.hpp"

#include "llm_clients/log.hpp"
#include "messages/error.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lathe::llm_clients {

namespace fs = std::filesystem;

namespace {

caf::error cannot_open(const fs::path& folder, std::string_view why) {
  return make_error(errc::environment_error,
                    fmt::format("the mailbox {} cannot be opened: {}", folder.string(), why));
}

// A new file is only safe once its folder says that it is there.
void sync_folder(const fs::path& folder) {
  if (unique_fd opened{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)})
    ::fsync(opened.get());
}

bool holds_answers(const fs::path& file) {
  auto name = file.filename().string();
  std::error_code ignored;
  return name.starts_with("responses") && name.ends_with(".jsonl")
         && fs::is_regular_file(file, ignored);
}

} // namespace

caf::expected<std::unique_ptr<mailbox_folder>> mailbox_folder::open(const model_config& model) {
  fs::path folder{model.folder};
  std::error_code code;
  fs::create_directories(folder, code);
  if (code)
    return cannot_open(folder, code.message());
  auto file = folder / "requests.jsonl";
  unique_fd opened{::open(file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644)};
  if (!opened)
    return cannot_open(folder, std::strerror(errno));
  if (::flock(opened.get(), LOCK_EX | LOCK_NB) != 0)
    return errno == EWOULDBLOCK
             ? make_error(errc::user_error,
                          fmt::format("the mailbox {} is in use by another run; give this one a "
                                      "'folder' of its own",
                                      folder.string()))
             : cannot_open(folder, std::strerror(errno));
  std::unique_ptr<mailbox_folder> result{new mailbox_folder{model, std::move(opened)}};
  if (auto problem = result->take_over())
    return problem;
  sync_folder(folder);
  return result;
}

mailbox_folder::mailbox_folder(const model_config& model, unique_fd requests)
  : model_(model), folder_(model.folder), requests_(folder_ / "requests.jsonl"),
    descriptor_(std::move(requests)), answers_(model) {
  model_.api_key.clear();
}

std::vector<reply> mailbox_folder::ask(const std::vector<llm_request>& questions) {
  look();
  std::vector<reply> result;
  std::string lines;
  std::set<std::string> fresh;
  std::vector<std::size_t> places; // of `fresh` in `result`
  for (const auto& question : questions) {
    auto id = custom_id(model_, question);
    auto known = answers_.find(id, question);
    result.push_back(
      known ? std::move(*known)
            : failure{failure_kind::wait,
                      fmt::format("the question is in {}, and no answer in {} yet",
                                  requests_.string(), (folder_ / "responses.jsonl").string())});
    if (known || posted_.contains(id))
      continue;
    places.push_back(result.size() - 1);
    if (fresh.insert(id).second)
      lines += batch_line(model_, question);
  }
  if (auto problem = append(lines)) {
    for (auto place : places)
      result[place] = failure{failure_kind::retry, describe(problem), {}, false, true};
    return result;
  }
  posted_.merge(fresh);
  return result;
}

// Reads which questions are there, and mends the end of the last one.
caf::error mailbox_folder::take_over() {
  growing_file file{requests_};
  std::size_t half = 0; // [bytes] of a last line that a crash cut short
  bool unended = false;
  auto code = file.look([&](const growing_file::line& line) {
    auto id = custom_id_in(line.text);
    half = line.ended || !id.empty() ? 0 : line.text.size();
    unended = !line.ended && half == 0;
    if (!id.empty())
      posted_.insert(std::move(id));
    else if (line.ended)
      log()->warn("{}:{}: this is no question; whoever reads them may stumble over it",
                  requests_.string(), line.number);
    return true;
  });
  struct stat found {};
  if (code != 0 || ::fstat(descriptor_.get(), &found) != 0)
    return cannot_open(folder_, std::strerror(code != 0 ? code : errno));
  if (half > 0) {
    log()->warn("{}: half a last line of {} bytes is cut off", requests_.string(), half);
    if (::ftruncate(descriptor_.get(), found.st_size - static_cast<off_t>(half)) != 0)
      return failure_to_write(std::strerror(errno));
  }
  return unended ? append("\n") : caf::error{};
}

void mailbox_folder::look() {
  std::error_code code;
  for (fs::directory_iterator i{folder_, code}, end; !code && i != end; i.increment(code))
    if (holds_answers(i->path()))
      responses_.try_emplace(i->path(), i->path());
  auto unknown = unknown_.size();
  for (auto& [path, file] : responses_)
    if (auto problem = file.look([&](const auto& line) { return take(path, line); }))
      log()->warn("{} cannot be read: {}", path.string(), std::strerror(problem));
  if (unknown_.size() > unknown)
    log()->warn("{}: {} answers are to no question in requests.jsonl, such as {}", folder_.string(),
                unknown_.size(), *unknown_.begin());
}

bool mailbox_folder::take(const fs::path& file, const growing_file::line& line) {
  constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
  auto text = line.text;
  if (line.number == 1 && text.starts_with(byte_order_mark))
    text.remove_prefix(byte_order_mark.size());
  auto noted = answers_.add(text);
  if (noted.custom_id.empty() && !line.ended)
    return false; // whoever writes it is not done
  if (!noted.warning.empty())
    log()->warn("{}:{}: {}", file.string(), line.number, noted.warning);
  if (!noted.custom_id.empty() && !posted_.contains(noted.custom_id))
    unknown_.insert(noted.custom_id);
  return true;
}

// With one write: a process that is killed leaves half a last line, at worst.
caf::error mailbox_folder::append(std::string_view lines) {
  if (lines.empty())
    return {};
  struct stat before {};
  struct stat named {};
  if (!usable_ || ::fstat(descriptor_.get(), &before) != 0)
    return failure_to_write("it ends with half a line that cannot be cut off");
  if (::stat(requests_.c_str(), &named) != 0 || named.st_ino != before.st_ino)
    return failure_to_write("it was moved or replaced; put it back, for it says what was asked");
  auto written = ::write(descriptor_.get(), lines.data(), lines.size());
  if (written == static_cast<ssize_t>(lines.size()) && ::fsync(descriptor_.get()) == 0)
    return {};
  auto why = written < 0 || written == static_cast<ssize_t>(lines.size())
               ? std::strerror(errno)
               : "the disk or a limit is full";
  usable_ = ::ftruncate(descriptor_.get(), before.st_size) == 0;
  return failure_to_write(why);
}

caf::error mailbox_folder::failure_to_write(std::string_view why) const {
  return make_error(errc::environment_error,
                    fmt::format("{} cannot be written: {}", requests_.string(), why));
}

} // namespace lathe::llm_clients
