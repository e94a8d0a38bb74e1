// SPDX-License-Identifier: GPL-3.0-or-later
//
// A proportional and integral loop, critically damped: with e the error in seconds, the correction
// is -(K e + K^2/4 integral of e), whose poles both lie at -K/2. The smoothing before it is ten
// times faster, so it takes the saw-teeth of blocks away and does not disturb the loop.
#include "hold.h"

#include <math.h>

#define K 0.1         // per second: 10 ms off are worked away at 1000 ppm
#define SMOOTHING 1.0 // seconds
#define MOST 0.005    // 9 cents of pitch; quartz clocks differ by 0.0002 at most
#define PATIENCE 1.0  // seconds before a jump is thought of

void hold_start(hold *h, double target_frames, double rate_hz, double far_frames)
{
  *h = (hold){.target = target_frames, .rate_hz = rate_hz, .far = far_frames};
}

static double within(double value, double most)
{
  return fmax(-most, fmin(most, value));
}

double hold_step(hold *h, double level, double seconds)
{
  double error = level - h->target;
  // a plain mean at first, so that the start is no jump
  double weight = fmax(1.0 - exp(-seconds / SMOOTHING), seconds / (h->settled + seconds));
  h->error += weight * (error - h->error);
  h->settled += seconds;
  double late = h->error / h->rate_hz;
  if (fabs(h->error) < h->far) h->drift = within(h->drift - K * K / 4.0 * late * seconds, MOST);
  return within(h->drift - K * late, MOST);
}

double hold_jump(hold *h)
{
  if (h->settled < PATIENCE || fabs(h->error) < h->far) return 0.0;
  double jump = h->error;
  h->error = 0.0;
  h->settled = 0.0;
  return jump;
}
