// What several files of sampling/ call: no part of the model.
functions {
  // how far a group's mean may well be from where its data and the others
  // expect it
  vector uncertainty(real tau, vector precision, real tiny) {
    return 1 ./ sqrt(inv_square(tau + tiny) + precision);
  }
  // how much each of what there is to say of a mean weighs
  vector precision_of(real sd, vector noise, vector share) {
    return 1 ./ (noise + square(sd) * share);
  }
  // where both arms and the population together expect each group's baseline,
  // given its effect
  vector expected_baseline(vector alone, vector effect, real spread,
                           vector control, vector c_precision,
                           vector treatment, vector t_precision) {
    return (alone
            + square(spread)
              * (c_precision .* control + t_precision .* (treatment - effect)))
           ./ (1 + square(spread) * (c_precision + t_precision));
  }
  // and how far from there it may well be
  vector baseline_unit(real spread, vector c_precision, vector t_precision,
                       real tiny) {
    return 1 ./ sqrt(inv_square(spread + tiny) + c_precision + t_precision);
  }
  // where its own rows and the other groups together expect log(sigma)
  vector expected_log_sigma(real sigma_typical, real sigma_sd,
                            vector log_estimate, vector log_precision) {
    return log_estimate
           + (log(sigma_typical) - log_estimate)
             ./ (1 + square(sigma_sd) * log_precision);
  }
  // and how far from there it may well be
  vector log_sigma_unit(real sigma_sd, vector log_precision) {
    return 1 ./ sqrt(inv_square(sigma_sd + 1e-8) + log_precision);
  }
  // estimates with more extra zeros than they are made with
  vector fell(vector estimate, vector falls, real zero_odds, real guess) {
    return estimate - falls * (log1p(zero_odds) - log1p(guess));
  }
  // precision of estimates whose variance 1 / phi adds to
  vector given(vector precision, vector added, real phi) {
    return precision ./ (1 + precision .* added / phi);
  }
  // and how much each of what there is to say of a mean weighs then
  vector weight_given(real sd, real phi, vector least, vector added,
                      vector share) {
    return 1 ./ (least + added / phi + square(sd) * share);
  }
  // mu, beta and u, and how much z shrinks or stretches, in logarithms
  vector measured_from(vector z,
                       real tau,
                       vector scale,
                       vector middle,
                       matrix near_information,
                       matrix near_pull,
                       vector near_noise,
                       vector near_share,
                       matrix far,
                       vector far_mean,
                       vector far_weight,
                       vector far_noise,
                       vector far_share,
                       matrix together,
                       array[] int place) {
    int M = cols(near_pull);
    int P = rows(near_pull);
    int E = rows(far);
    vector[P] unit = head(scale, P);
    vector[M] weight = 1 ./ (near_noise + square(tau) * near_share);
    vector[P] pull = unit .* (near_pull * weight);
    matrix[P, P] seen = to_matrix(near_information * weight, P, P)
                        .* (unit * unit');
    matrix[P, P] root = cholesky_decompose(add_diag(0.5 * (seen + seen'), 1));
    vector[P] ahead = mdivide_left_tri_low(root, pull) + head(z, P);
    vector[P] moved = unit .* mdivide_right_tri_low(ahead', root)';
    vector[E] far_unit = tail(scale, E);
    vector[E] noise = far_noise + square(tau) * far_share;
    vector[E] says = far_unit .* far_weight ./ noise;
    vector[E] total = 1 + far_unit .* says;
    vector[E] one = 1 ./ sqrt(total);
    vector[E] off = one .* says .* (far_mean - far * moved);
    vector[E] out = off + tail(z, E);
    if (rows(together) > 0) {
      out = together * (together' * off + tail(z, E));
    }
    vector[E] beyond = far_unit .* one .* out;
    real stretch = sum(log(scale)) - sum(log(diagonal(root)))
                   - 0.5 * sum(log(total));
    return append_row((middle + append_row(moved, beyond))[place], stretch);
  }
}
