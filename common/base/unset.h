/* The build clears every local variable (-ftrivial-auto-var-init=zero). A large array on the hot path that
 * is always written before it is read says UNSET, and is not cleared. */
#ifndef BASE_UNSET_H
#define BASE_UNSET_H

#ifdef __has_attribute
#if __has_attribute(uninitialized)
#define UNSET __attribute__((uninitialized))
#endif
#endif
#ifndef UNSET
#define UNSET
#endif

#endif
