//! What ccache was good for, in a sentence.

use crate::model::ccache::CacheUse;
use crate::model::status::size;

/// `212 of 240 files were there (88 %); 1.2 GiB kept`
pub(super) fn sentence(used: CacheUse) -> String {
    let kept = size(used.size);
    let all = u128::from(used.hits) + u128::from(used.misses);
    match (used.share(), (u128::from(used.hits) * 100).checked_div(all)) {
        (Some(share), Some(percent)) => format!("{share} files were there ({percent} %); {kept} kept"),
        _ => format!("nothing compiled yet; {kept} kept"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_nothing_there_is_no_part() {
        let used = |hits, misses, size| sentence(CacheUse { hits, misses, size });
        assert_eq!(used(212, 28, 1_288_490_188), "212 of 240 files were there (88 %); 1.2 GiB kept");
        assert_eq!(used(0, 3, 0), "0 of 3 files were there (0 %); 0 B kept");
        assert_eq!(used(0, 0, 2048), "nothing compiled yet; 2.0 KiB kept");
        assert!(used(u64::MAX, u64::MAX, 0).contains("(50 %)"));
    }
}
