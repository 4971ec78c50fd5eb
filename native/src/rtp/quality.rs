//! How a call sounds, as a figure: the E-model of ITU-T G.107 with loss and delay only, for G.711.
//!
//! R starts at 93.2, what G.107's default values leave, and loses what delay (Idd, after Cole and Rosenbluth's fit
//! to it) and loss (Ie-eff with G.113 appendix I's robustness of G.711 without concealment) take away.

/// R of a connection with all of G.107's defaults.
pub const BEST_R: f32 = 93.2;

/// G.113 appendix I: how well G.711 bears random loss when lost packets are silence.
const LOSS_ROBUSTNESS: f32 = 4.3;

/// A quality figure that was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// Transmission rating, 0 to 93.2.
    pub r: f32,
    /// Mean opinion score, 1.0 to 4.5.
    pub mos: f32,
}

/// The quality with a share of packets lost (0 to 1) and a one-way delay from mouth to ear in ms.
///
/// `loss` counts what was not played: lost on the way, or too late.
pub fn estimate(loss: f32, delay_ms: f32) -> Quality {
    let percent = loss.clamp(0.0, 1.0) * 100.0;
    let delay = delay_ms.max(0.0);
    let by_delay = 0.024 * delay + 0.11 * (delay - 177.3).max(0.0);
    let by_loss = 95.0 * percent / (percent + LOSS_ROBUSTNESS);
    let r = (BEST_R - by_delay - by_loss).clamp(0.0, BEST_R);
    Quality { r, mos: mos(r) }
}

/// G.107 annex B: the opinion score of a rating between 0 and 100.
fn mos(r: f32) -> f32 {
    let score = 1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6;
    score.clamp(1.0, 4.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_lost_and_no_delay_is_the_best_there_is() {
        let quality = estimate(0.0, 0.0);
        assert!((quality.r - BEST_R).abs() < 0.01);
        assert!((quality.mos - 4.41).abs() < 0.01, "{}", quality.mos);
    }

    #[test]
    fn figures_worked_by_hand() {
        // 200 ms: 4.8 + 2.497 off; 1 % of loss: 95 / 5.3 = 17.9 off.
        assert!((estimate(0.0, 200.0).r - 85.9).abs() < 0.05);
        assert!((estimate(0.01, 0.0).r - 75.28).abs() < 0.05);
    }

    #[test]
    fn more_loss_or_delay_is_never_better() {
        let mut before = 5.0;
        for step in 0..=100 {
            let mos = estimate(step as f32 / 100.0, 50.0).mos;
            assert!(mos <= before && mos >= 1.0);
            before = mos;
        }
        assert!(estimate(0.02, 300.0).mos < estimate(0.02, 100.0).mos);
    }

    #[test]
    fn absurd_figures_stay_on_the_scale() {
        assert_eq!(estimate(7.0, 1e9).mos, 1.0);
        assert!((estimate(-1.0, -5.0).r - BEST_R).abs() < 0.01);
    }
}
