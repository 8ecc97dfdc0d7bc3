//! A value that the kernel reads or writes behind our back, for as long as an operation is under way.
//!
//! Not a `Box`: whoever moves a Box says that nobody else has a pointer into it, and the kernel has
//! one. Not here: how long that is; see `uring`, which keeps what is lent until the last completion.

use std::ptr::NonNull;

/// Owns a `T` on the heap, at an address that stays, without a claim to be alone with it.
///
/// Dropping it frees the value: only once the kernel has let go of it. Where that is not to be known,
/// [`Lent::leak`] it.
#[derive(Debug)]
pub(super) struct Lent<T>(NonNull<T>);

impl<T> Lent<T> {
    /// Puts `value` where it can be lent.
    pub(super) fn new(value: T) -> Lent<T> {
        Lent(NonNull::from(Box::leak(Box::new(value))))
    }

    /// What the kernel is told: valid, for reads and writes, until `self` is dropped.
    pub(super) fn as_ptr(&self) -> *mut T {
        self.0.as_ptr()
    }

    /// The value.
    ///
    /// # Safety
    /// The kernel must not write to it while the reference lives.
    pub(super) unsafe fn get(&self) -> &T {
        // SAFETY: `new` has made it and only `drop` frees it; nobody writes to it, says the caller.
        unsafe { self.0.as_ref() }
    }

    /// Never frees it, because the kernel may still use it.
    pub(super) fn leak(self) {
        std::mem::forget(self);
    }
}

impl<T> Drop for Lent<T> {
    fn drop(&mut self) {
        // SAFETY: the pointer is of the Box that `new` leaked and is given back once, here. The kernel
        // has let go of it: whoever lent it dropped it only after the last completion.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn a_value_stays_where_it_is_when_its_owner_moves_and_is_freed_once() {
        let witness = Rc::new(());
        let lent = Lent::new(Rc::clone(&witness));
        let address = lent.as_ptr();
        let moved = [lent];
        assert_eq!(moved[0].as_ptr(), address);
        // SAFETY: no kernel knows of it.
        assert!(Rc::ptr_eq(unsafe { moved[0].get() }, &witness));
        drop(moved);
        assert_eq!(Rc::strong_count(&witness), 1);
    }

    #[test]
    fn what_is_written_through_its_address_is_read_and_what_is_leaked_is_not_freed() {
        let lent = Lent::new(1u64);
        // SAFETY: the address is valid for writes, and nobody else looks.
        unsafe { lent.as_ptr().write(7) };
        // SAFETY: nobody writes any more.
        assert_eq!(unsafe { *lent.get() }, 7);
        let witness = Rc::new(());
        Lent::new(Rc::clone(&witness)).leak();
        assert_eq!(Rc::strong_count(&witness), 2);
    }
}
