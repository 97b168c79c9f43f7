#pragma once

#include <boost/system/result.hpp>

#include <string>

namespace lathe::llm_server {

/// What is wrong with an option, as a sentence for people.
struct mistake {
  std::string sentence;
};

/// Something read from text, or what is wrong with the text.
template <class T>
using parsed = boost::system::result<T, mistake>;

} // namespace lathe::llm_server
