#include "runtime/topology/model_table.hpp"

namespace lathe::runtime {

namespace {

void read_keys(map_reader& reader, model_capabilities& x) {
  reader.read("temperature", x.temperature);
  reader.read("streamed_usage", x.streamed_usage);
  reader.read("cache_marks", x.cache_marks);
  reader.read("reasons", x.reasons);
  reader.read_word("output_limit", x.output_limit, {"max_tokens", "max_completion_tokens"});
  reader.read_word("system_role", x.system_role, {"system", "developer", "user"});
}

} // namespace

void read_capabilities(map_reader own, const std::string& address, model_config& x,
                       const block_context& context) {
  auto of = subject_of(x, address);
  if (x.provider == provider_kind::mailbox)
    of.provider = to_string(provider_kind::openai);
  read_table("capabilities", of, context, [&](map_reader& entry, bool fits) {
    auto changed = x.can;
    read_keys(entry, changed);
    if (fits)
      x.can = changed;
  });
  read_keys(own, x.can);
  own.finish();
}

} // namespace lathe::runtime
