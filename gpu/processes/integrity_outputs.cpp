#include "gpu/processes/integrity_state.hpp"

#include "gpu/processes/native_timed_calls.hpp"

#include <sys/random.h>

namespace lathe::native::integrity {

namespace {

bool is_plain(PyObject* x) {
  return x == Py_None || PyBool_Check(x) || PyLong_CheckExact(x) || PyFloat_CheckExact(x)
         || PyUnicode_CheckExact(x);
}

PyObject* copied_sequence(PyObject* x, bool clone) {
  bool is_list = PyList_Check(x);
  auto size = is_list ? PyList_GET_SIZE(x) : PyTuple_GET_SIZE(x);
  auto* result = is_list ? PyList_New(size) : PyTuple_New(size);
  for (Py_ssize_t i = 0; result != nullptr && i < size; ++i) {
    auto* item = copied(is_list ? PyList_GET_ITEM(x, i) : PyTuple_GET_ITEM(x, i), clone);
    if (item == nullptr)
      Py_CLEAR(result);
    else if (is_list)
      PyList_SET_ITEM(result, i, item);
    else
      PyTuple_SET_ITEM(result, i, item);
  }
  return result;
}

PyObject* copied_dict(PyObject* x, bool clone) {
  auto* result = PyDict_New();
  PyObject* key = nullptr;
  PyObject* value = nullptr;
  for (Py_ssize_t at = 0; result != nullptr && PyDict_Next(x, &at, &key, &value);) {
    auto* item = PyUnicode_CheckExact(key) ? copied(value, clone) : nullptr;
    if (item == nullptr && PyErr_Occurred() == nullptr)
      PyErr_SetString(PyExc_TypeError,
                      "a dict travels between processes only if its keys are strings");
    if (item == nullptr || PyDict_SetItem(result, key, item) != 0)
      Py_CLEAR(result);
    Py_XDECREF(item);
  }
  return result;
}

// In the host's memory, in a GPU's: in the order of `torch_functions::places`.
constexpr Py_ssize_t on_host = 0;
constexpr Py_ssize_t on_device = 1;

bool lies(PyObject* tensor, Py_ssize_t where) {
  auto* answer = PyObject_CallOneArg(PyTuple_GET_ITEM(self().torch.places, where), tensor);
  auto result = answer == Py_True;
  Py_XDECREF(answer);
  return result;
}

// Tensors on other devices than these, "lazy" or "meta", hold no answer yet.
void look_at_place(PyObject* tensor) {
  if (!lies(tensor, on_host) && !lies(tensor, on_device))
    refuse("lazy-tensor", "the output lies neither in the host's memory nor in a GPU's");
}

bool number_of(PyObject* tensor, Py_ssize_t which, std::uint64_t& result) {
  auto* answer = PyObject_CallOneArg(PyTuple_GET_ITEM(self().torch.memory, which), tensor);
  result = answer != nullptr ? PyLong_AsUnsignedLongLong(answer) : 0;
  Py_XDECREF(answer);
  return PyErr_Occurred() == nullptr;
}

bool toggle_tensor(PyObject* tensor, const gpu::input_key& key) {
  std::uint64_t address = 0;
  std::uint64_t elements = 0;
  std::uint64_t size = 0;
  if (!number_of(tensor, 0, address) || !number_of(tensor, 1, elements)
      || !number_of(tensor, 2, size))
    return false;
  if (elements > 0)
    toggle_memory({address, address, elements * size}, key, lies(tensor, on_device));
  return true;
}

// `number` is of the next tensor. What is plain has none.
bool toggle_all(PyObject* x, std::size_t& number) {
  auto fine = true;
  if (PyList_Check(x) || PyTuple_Check(x)) {
    for (Py_ssize_t i = 0; fine && i < PySequence_Fast_GET_SIZE(x); ++i)
      fine = toggle_all(PySequence_Fast_GET_ITEM(x, i), number);
  } else if (PyDict_Check(x)) {
    PyObject *name = nullptr, *value = nullptr;
    for (Py_ssize_t at = 0; fine && PyDict_Next(x, &at, &name, &value);)
      fine = toggle_all(value, number);
  } else if (!is_plain(x)) {
    fine = toggle_tensor(x, self().kept_key.of_tensor(number++));
  }
  return fine;
}

constexpr std::size_t most_tensors = std::size_t{1} << 32; // of one output

bool toggle_kept(PyObject* output, std::size_t kept) {
  auto number = kept * most_tensors;
  return toggle_all(output, number);
}

// A number below `bound`, from the kernel.
long draw_lot(long bound) {
  std::uint64_t x = 0;
  if (::getrandom(&x, sizeof(x), 0) != sizeof(x))
    return 0;
  return static_cast<long>(x % static_cast<std::uint64_t>(bound));
}

} // namespace

PyObject* copied(PyObject* x, bool clone) {
  auto& torch = self().torch;
  auto* type = reinterpret_cast<PyObject*>(Py_TYPE(x));
  if (type == torch.tensor || type == torch.parameter) {
    look_at_place(x);
    return clone ? PyObject_CallOneArg(torch.clone, x) : Py_NewRef(x);
  }
  if (is_plain(x))
    return Py_NewRef(x);
  if (PyList_Check(x) || PyTuple_Check(x))
    return copied_sequence(x, clone);
  if (PyDict_Check(x))
    return copied_dict(x, clone);
  if (PyType_IsSubtype(Py_TYPE(x), reinterpret_cast<PyTypeObject*>(torch.tensor)))
    refuse("lazy-tensor", std::string{"the output is a "} + Py_TYPE(x)->tp_name
                            + ", which is not a torch.Tensor proper");
  PyErr_Format(PyExc_TypeError, "a value of type %s cannot travel between processes",
               Py_TYPE(x)->tp_name);
  return nullptr;
}

bool draw_for(PyObject* result, gpu::output_use use) {
  auto& s = self();
  auto call = s.calls++;
  auto chosen = use == gpu::output_use::kept || (!s.has_to_keep && draw_lot(call + 1) == 0);
  auto clone = chosen || use == gpu::output_use::copied;
  s.has_to_keep = s.has_to_keep || use == gpu::output_use::kept;
  if (clone)
    look_for_kernels(s.torch.copying);
  auto* kept = copied(result, clone); // its types are looked at in any case
  if (kept != nullptr && chosen) {
    std::swap(s.captured, kept);
    s.captured_call = call;
    s.kept_numbers[s.captured] = ++s.kept;
    if (!toggle_kept(s.captured, s.kept))
      Py_CLEAR(s.captured);
  }
  Py_XDECREF(kept);
  return PyErr_Occurred() == nullptr;
}

bool open_kept(PyObject* output) {
  auto& numbers = self().kept_numbers;
  auto found = numbers.find(output);
  return found == numbers.end() || toggle_kept(output, numbers.extract(found).mapped());
}

} // namespace lathe::native::integrity
