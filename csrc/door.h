// The one door from Python: anything with __dlpack__ (torch, NumPy), or what it returns, becomes a dlpack::Tensor,
// without a copy. Torch tensors that need a gradient are detached by the caller. The way out is for new arrays of
// kept.h.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <utility>
#include <vector>

#include "kept.h"
#include "tensor.h"

namespace forensic {

namespace py = pybind11;

// Keeps the producer's array alive; to be made and destroyed with the GIL held.
class Array {
 public:
  Array(const py::object& source, const char* name) : name_(name) {
    if (PyCapsule_CheckExact(source.ptr()) != 0) {  // torch makes one ten times as fast as its __dlpack__
      take(source.ptr());
      return;
    }
    FORENSIC_CHECK_TYPE(py::hasattr(source, "__dlpack__"), name, ": expected an array with __dlpack__, got ",
                        std::string(py::str(py::type::of(source).attr("__name__"))));
    py::object capsule;
    try {
      capsule = source.attr("__dlpack__")(py::arg("max_version") = py::make_tuple(1, 0));
    } catch (py::error_already_set& error) {
      if (!error.matches(PyExc_TypeError)) throw;
      capsule = source.attr("__dlpack__")();  // a producer from before DLPack 1.0
    }
    take(capsule.ptr());
  }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  ~Array() {
    if (versioned_ != nullptr && versioned_->deleter != nullptr) versioned_->deleter(versioned_);
    if (plain_ != nullptr && plain_->deleter != nullptr) plain_->deleter(plain_);
  }

  const dlpack::Tensor& tensor() const { return versioned_ != nullptr ? versioned_->tensor : plain_->tensor; }
  bool read_only() const { return versioned_ != nullptr && (versioned_->flags & dlpack::kReadOnly) != 0; }
  bool holds(std::uint8_t code, std::uint8_t bits) const {
    return tensor().dtype.code == code && tensor().dtype.bits == bits;
  }
  template <typename T>
  bool is() const {
    return holds(type_of<T>().code, type_of<T>().bits);
  }

  // A view of const elements reads; one of others writes and refuses read-only arrays.
  template <typename T, std::size_t Rank>
  TensorView<T, Rank> view(std::int32_t device = dlpack::kCpu) const {
    if constexpr (!std::is_const_v<T>) {
      FORENSIC_CHECK(!read_only(), name_, ": expected an array that can be written, got a read-only one");
    }
    return view_of<T, Rank>(tensor(), name_, device);
  }

 private:
  void take(PyObject* capsule) {
    if (PyCapsule_IsValid(capsule, "dltensor_versioned") != 0) {
      versioned_ = static_cast<dlpack::ManagedVersioned*>(PyCapsule_GetPointer(capsule, "dltensor_versioned"));
      if (versioned_->version.major != 1) {
        const auto major = std::exchange(versioned_, nullptr)->version.major;
        throw TypeProblem(message_of(name_, ": expected DLPack 1.x, got major version ", major));
      }
      PyCapsule_SetName(capsule, "used_dltensor_versioned");
      return;
    }
    FORENSIC_CHECK_TYPE(PyCapsule_IsValid(capsule, "dltensor") != 0, name_, ": __dlpack__ gave no DLPack capsule");
    plain_ = static_cast<dlpack::Managed*>(PyCapsule_GetPointer(capsule, "dltensor"));
    PyCapsule_SetName(capsule, "used_dltensor");
  }

  const char* name_;
  dlpack::Managed* plain_ = nullptr;
  dlpack::ManagedVersioned* versioned_ = nullptr;
};

// A new array of the memory of results, not initialised, as a DLPack capsule that somebody takes once.
inline py::capsule kept_array(std::vector<std::int64_t> shape, dlpack::DataType dtype) {
  struct Owner {
    dlpack::Managed managed{};
    std::vector<std::int64_t> shape;
    std::size_t bytes = 0;
  };
  auto owner = std::make_unique<Owner>();
  owner->shape = std::move(shape);
  owner->bytes = dtype.bits / 8U;
  for (const std::int64_t extent : owner->shape) owner->bytes *= static_cast<std::size_t>(extent);
  dlpack::Managed& managed = owner->managed;
  managed.tensor = {nullptr, {dlpack::kCpu, 0},   static_cast<std::int32_t>(owner->shape.size()),
                    dtype,   owner->shape.data(), nullptr,
                    0};
  managed.context = owner.get();
  managed.deleter = [](dlpack::Managed* self) {
    const std::unique_ptr<Owner> gone(static_cast<Owner*>(self->context));
    give_kept(self->tensor.data, gone->bytes);
  };
  managed.tensor.data = take_kept(owner->bytes);
  const auto drop = [](PyObject* capsule) {
    if (PyCapsule_IsValid(capsule, "dltensor") == 0) return;  // somebody took it
    auto* untaken = static_cast<dlpack::Managed*>(PyCapsule_GetPointer(capsule, "dltensor"));
    untaken->deleter(untaken);
  };
  py::capsule made(&managed, "dltensor", drop);
  (void)owner.release();  // NOLINT(bugprone-unused-return-value) - the capsule has it
  return made;
}

// Calls `body(T{})` with the floating-point type of `array`.
template <typename Body>
void with_float_type(const Array& array, const char* name, Body body) {
  if (array.is<float>()) {
    body(float{});
  } else if (array.is<double>()) {
    body(double{});
  } else {
    throw TypeProblem(message_of(name, ": expected float32 or float64, got ", name_of(array.tensor().dtype)));
  }
}

}  // namespace forensic
