"""Errata generated from a run."""

from eostheory.report import errata_markdown


def test_a_refuted_claim_has_an_entry_with_witness_correction_and_what_survives(sample):
    text = errata_markdown(sample)
    assert "### lyu22/lemma-E.1 (App. E.1, proof)" in text
    assert "$$\nw_{t+1}=(1-\\hat\\eta\\hat\\lambda)w_t" in text
    assert "eta = 1/3" in text
    assert "(1-\\hat\\eta\\hat\\lambda)^{-2}\\tilde\\eta_t" in text
    assert "the claim in corrected form (proved)" in text
    assert "lemma-3.1" not in text


def test_text_of_a_claim_cannot_become_markup_of_the_errata(sample):
    assert "<b>" not in errata_markdown(sample)


def test_what_only_the_text_conversion_broke_is_not_blamed_on_the_paper(sample):
    for claim in sample["claims"]:
        if claim["verdict"] == "refuted":
            claim.update(nature="extraction", extraction="a hat was lost")
    text = errata_markdown(sample)
    assert "\n## lyu22" not in text
    assert "not by the paper" in text


def test_a_run_that_refuted_nothing_says_so(samples):
    assert "refuted nothing" in errata_markdown(samples.report([]))
