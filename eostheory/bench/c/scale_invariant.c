/* Gradient descent with weight decay on F = 2 - (x + y)/sqrt(x^2 - xy + y^2) (lyu22, appendix F).
 *
 * With n = x^2 - xy + y^2:  dF/dx = 3 y (x - y) / (2 n^(3/2)),  dF/dy = -3 x (x - y) / (2 n^(3/2)).
 * Arrays are one row per variable: state[3][batch], parameters[2][batch] (eta, lambda),
 * records[count][3][batch], end[3][batch]. */
#include "common.h"

void scalar(const double *restrict state, const double *restrict parameters, int64_t batch,
            int64_t count, int64_t every, double *restrict records, double *restrict end)
{
    for (int64_t b = 0; b < batch; ++b) {
        double x = state[b], y = state[batch + b], z = state[2 * batch + b];
        const double eta = parameters[b];
        const double shrink = 1.0 - eta * parameters[batch + b], rate = 1.5 * eta;
        for (int64_t r = 0; r < count; ++r) {
            for (int64_t q = 0; q < every; ++q) {
                const double n = x * x - x * y + y * y;
                const double s = rate * (x - y) / (n * sqrt(n));
                const double new_x = shrink * x - s * y;
                y = shrink * y + s * x;
                x = new_x;
                z = shrink * z;
            }
            double *row = records + r * 3 * batch + b;
            row[0] = x, row[batch] = y, row[2 * batch] = z;
        }
        end[b] = x, end[batch + b] = y, end[2 * batch + b] = z;
    }
}

/* The same for WIDTH * UNROLL trajectories at a time; batch must be a multiple of that. */
void vectors(const double *restrict state, const double *restrict parameters, int64_t batch,
             int64_t count, int64_t every, double *restrict records, double *restrict end)
{
    for (int64_t b = 0; b < batch; b += WIDTH * UNROLL) {
        vec x[UNROLL], y[UNROLL], z[UNROLL], shrink[UNROLL], rate[UNROLL];
        EACH(u) {
            const int64_t at = b + u * WIDTH;
            const vec eta = load(parameters + at);
            x[u] = load(state + at);
            y[u] = load(state + batch + at);
            z[u] = load(state + 2 * batch + at);
            shrink[u] = 1.0 - eta * load(parameters + batch + at);
            rate[u] = 1.5 * eta;
        }
        for (int64_t r = 0; r < count; ++r) {
            for (int64_t q = 0; q < every; ++q) {
                EACH(u) {
                    const vec n = x[u] * x[u] - x[u] * y[u] + y[u] * y[u];
                    const vec s = rate[u] * (x[u] - y[u]) / (n * root(n));
                    const vec new_x = shrink[u] * x[u] - s * y[u];
                    y[u] = shrink[u] * y[u] + s * x[u];
                    x[u] = new_x;
                    z[u] = shrink[u] * z[u];
                }
            }
            EACH(u) {
                double *row = records + r * 3 * batch + b + u * WIDTH;
                store(row, x[u]), store(row + batch, y[u]), store(row + 2 * batch, z[u]);
            }
        }
        EACH(u) {
            double *row = end + b + u * WIDTH;
            store(row, x[u]), store(row + batch, y[u]), store(row + 2 * batch, z[u]);
        }
    }
}
