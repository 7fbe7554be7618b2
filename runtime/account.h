/* Whether threads are worth it. The account of a team holds the time that its loops saved against
   one thread, and lost. When the credit is used up the team rests: its loops are serial for the
   loss times a power of two, the next one with every rest until threads prove worth it again. So a
   core that is busy with something else costs little, whatever the reason. All in nanoseconds. */
#ifndef CNNC_ACCOUNT_H
#define CNNC_ACCOUNT_H

#include "internal.h"

/* 0 in tests of threads: all loops then have them. */
#ifndef CNNC_LONGEST_REST
#define CNNC_LONGEST_REST 1000000000
#endif

struct account {
  int64_t credit, best_credit; /* now, and at most since the last rest */
  uint64_t rest_end;           /* when threads are tried again; 0: they are in use */
  uint32_t rests;              /* since the credit was highest */
};

/* The highest credit is what a few time slices cost that others take now and then. */
enum { FIRST_CREDIT = 100000, HIGHEST_CREDIT = 20000000, LONGEST_REST = CNNC_LONGEST_REST };
enum { FIRST_REST_SHIFT = 4, LAST_REST_SHIFT = 7 };

static inline bool resting(const struct account *account, uint64_t now) {
  return now < account->rest_end;
}

/* Enters what a loop with threads gained, or lost when negative. */
static inline void settle(struct account *account, int64_t gain, uint64_t now) {
  if (account->rest_end != 0) {
    account->rest_end = 0;
    account->credit = account->best_credit = FIRST_CREDIT;
  }
  account->credit += gain;
  if (account->credit >= HIGHEST_CREDIT) {
    account->credit = HIGHEST_CREDIT;
    account->rests = 0;
  }
  if (account->credit > account->best_credit)
    account->best_credit = account->credit;
  if (account->credit >= 0)
    return;
  const uint32_t shift = FIRST_REST_SHIFT + account->rests;
  const int64_t loss = account->best_credit - account->credit;
  account->rest_end = now + (uint64_t)(loss < LONGEST_REST >> shift ? loss << shift : LONGEST_REST);
  if (shift < LAST_REST_SHIFT)
    ++account->rests;
}

#endif
