#include "llm_clients/answer_parsing.hpp"

#include "llm_clients/answer_text.hpp"
#include "llm_clients/candidate_text.hpp"
#include "llm_clients/idea_list_reader.hpp"
#include "llm_clients/json_answer.hpp"
#include "llm_clients/markdown_blocks.hpp"
#include "messages/error.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace lathe::llm_clients {

namespace {

constexpr int deepest = 3; // code in a fence in Markdown in JSON

using blocks = std::vector<markdown_block>;

// -- code -------------------------------------------------------------------------------

blocks blocks_in(std::string_view text, int depth);

// A block, or what is in it when it is Markdown or JSON itself.
void add_block(markdown_block block, int depth, blocks& result) {
  if (block.tag == "diff" || block.tag == "patch" || is_patch(block.text))
    return;
  auto inner =
    is_python_tag(block.tag) && !block.tag.empty() ? blocks{} : blocks_in(block.text, depth + 1);
  auto has_model = std::ranges::any_of(inner, defines_model, &markdown_block::text);
  if (!has_model)
    return result.push_back(std::move(block));
  for (auto& x : inner) {
    x.closed &= block.closed;
    result.push_back(std::move(x));
  }
}

blocks blocks_in(std::string_view text, int depth) {
  blocks result;
  if (depth > deepest)
    return result;
  for (const auto& x : texts_in_json(text)) {
    auto lines = with_line_feeds(x);
    if (auto inner = blocks_in(lines, depth + 1); !inner.empty())
      std::ranges::move(inner, std::back_inserter(result));
    else if (defines_model(lines))
      result.push_back({"python", std::move(lines), true});
  }
  if (result.empty())
    for (auto& x : fenced_blocks(text))
      add_block(std::move(x), depth, result);
  return result;
}

// Of equals the last: it is the one that was thought over.
const markdown_block* best_block(const blocks& all, bool cut) {
  const markdown_block* result = nullptr;
  auto rank = [cut](const markdown_block& x) {
    return std::pair{is_whole_file(x.text), x.closed || !cut};
  };
  for (const auto& x : all)
    if (defines_model(x.text) && (result == nullptr || rank(x) >= rank(*result)))
      result = &x;
  return result;
}

const markdown_block* longest_python(const blocks& all) {
  const markdown_block* result = nullptr;
  for (const auto& x : all)
    if (is_python_tag(x.tag) && !is_blank(x.text)
        && (result == nullptr || x.text.size() >= result->text.size()))
      result = &x;
  return result;
}

// -- ideas ------------------------------------------------------------------------------

std::vector<std::string> lines_of(std::vector<std::string> ideas) {
  for (auto& x : ideas)
    x = one_line(x);
  std::erase(ideas, "");
  return ideas;
}

std::vector<std::string> json_ideas(const std::string& text) {
  auto result = lines_of(items_in_json(text));
  if (!result.empty())
    return result;
  for (const auto& block : fenced_blocks(text))
    if (result.empty() && (block.tag.empty() || block.tag == "json"))
      result = lines_of(items_in_json(block.text));
  return result;
}

} // namespace

caf::expected<std::string> extract_code(std::string_view answer, bool cut) {
  auto text = with_line_feeds(without_reasoning(answer));
  if (is_blank(text))
    return make_error(errc::bad_answer, "the answer is empty");
  auto all = blocks_in(text, 0);
  if (auto block = best_block(all, cut))
    return block->text;
  auto in_json = blocks_in(part_between(text, '{', '}'), 0);
  if (auto block = best_block(in_json, cut))
    return block->text;
  if (auto block = longest_python(all))
    return block->text;
  if (fenced_blocks(text).empty() && defines_model(text) && !is_patch(text))
    return std::string{without_words(text)};
  return make_error(errc::bad_answer,
                    "the answer holds no Python code: neither a fenced block nor a "
                    "class ModelNew");
}

bool has_whole_code(std::string_view answer) {
  if (answer.find("class ModelNew") == std::string_view::npos || is_still_reasoning(answer))
    return false;
  auto whole_lines = answer.substr(0, answer.rfind('\n') + 1);
  auto is_whole = [](const markdown_block& x) { return x.closed && is_whole_file(x.text); };
  return std::ranges::any_of(blocks_in(with_line_feeds(after_reasoning(whole_lines)), 0), is_whole);
}

std::vector<std::string> extract_ideas(std::string_view answer, std::size_t limit) {
  auto text = with_line_feeds(without_reasoning(answer));
  auto result = json_ideas(text);
  if (result.empty())
    result = lines_of(read_idea_list(text));
  if (result.empty())
    result = lines_of(items_in_json(part_between(text, '[', ']')));
  if (result.size() > limit)
    result.resize(limit);
  return result;
}

} // namespace lathe::llm_clients
