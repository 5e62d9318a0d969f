/* Gradient descent on (2/eta + sqrt(beta) y) x^2/2 - alpha/sqrt(beta) y - z (damian23, appendix B).
 *
 *   x <- -(1 + eta sqrt(beta) y) x,   y <- y + eta (alpha/sqrt(beta) - sqrt(beta) x^2/2),   z <- z + eta
 * Arrays as in scale_invariant.c: state[3][batch], parameters[3][batch] (eta, alpha, beta),
 * records[count][2][batch] (x and y), end[3][batch]. */
#include "common.h"

void scalar(const double *restrict state, const double *restrict parameters, int64_t batch,
            int64_t count, int64_t every, double *restrict records, double *restrict end)
{
    for (int64_t b = 0; b < batch; ++b) {
        double x = state[b], y = state[batch + b], z = state[2 * batch + b];
        const double eta = parameters[b], root_beta = sqrt(parameters[2 * batch + b]);
        const double turn = eta * root_beta, half = 0.5 * turn;
        const double push = eta * parameters[batch + b] / root_beta;
        for (int64_t r = 0; r < count; ++r) {
            for (int64_t q = 0; q < every; ++q) {
                const double new_x = -x - turn * (y * x);
                y = y + push - half * (x * x);
                x = new_x;
                z = z + eta;
            }
            double *row = records + r * 2 * batch + b;
            row[0] = x, row[batch] = y;
        }
        end[b] = x, end[batch + b] = y, end[2 * batch + b] = z;
    }
}

void vectors(const double *restrict state, const double *restrict parameters, int64_t batch,
             int64_t count, int64_t every, double *restrict records, double *restrict end)
{
    for (int64_t b = 0; b < batch; b += WIDTH * UNROLL) {
        vec x[UNROLL], y[UNROLL], z[UNROLL], eta[UNROLL], turn[UNROLL], half[UNROLL], push[UNROLL];
        EACH(u) {
            const int64_t at = b + u * WIDTH;
            const vec root_beta = root(load(parameters + 2 * batch + at));
            x[u] = load(state + at);
            y[u] = load(state + batch + at);
            z[u] = load(state + 2 * batch + at);
            eta[u] = load(parameters + at);
            turn[u] = eta[u] * root_beta;
            half[u] = 0.5 * turn[u];
            push[u] = eta[u] * load(parameters + batch + at) / root_beta;
        }
        for (int64_t r = 0; r < count; ++r) {
            for (int64_t q = 0; q < every; ++q) {
                EACH(u) {
                    const vec new_x = -x[u] - turn[u] * (y[u] * x[u]);
                    y[u] = y[u] + push[u] - half[u] * (x[u] * x[u]);
                    x[u] = new_x;
                    z[u] = z[u] + eta[u];
                }
            }
            EACH(u) {
                double *row = records + r * 2 * batch + b + u * WIDTH;
                store(row, x[u]), store(row + batch, y[u]);
            }
        }
        EACH(u) {
            double *row = end + b + u * WIDTH;
            store(row, x[u]), store(row + batch, y[u]), store(row + 2 * batch, z[u]);
        }
    }
}
