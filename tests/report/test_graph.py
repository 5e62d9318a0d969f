"""The layered layout of the dependency graph."""

from eostheory.report.graph import layout


def claim(name, *needs, rests_on=()):
    return {"id": name, "paper": name.split("/")[0], "needs": needs, "rests_on": rests_on}


def test_a_claim_stands_right_of_everything_it_rests_on(samples):
    claims = samples.full_report()["claims"]
    places = layout(claims)
    known = {claim["id"] for claim in claims}
    for entry in claims:
        for parent in set(entry["needs"]) & known:
            assert places[parent].layer < places[entry["id"]].layer


def test_no_two_claims_share_a_place(samples):
    claims = samples.full_report()["claims"]
    places = layout(claims)
    taken = {(place.layer, place.order) for place in places.values()}
    assert len(taken) == len(places) == len(claims) > 1000


def test_what_witnesses_use_counts_as_well_as_what_the_paper_needs():
    places = layout([claim("p/a"), claim("p/b", rests_on=["p/a"])])
    assert places["p/b"].layer == 1


def test_cycles_and_unlisted_parents_are_survived():
    places = layout([claim("p/a", "p/b", "p/none"), claim("p/b", "p/a"), claim("p/c", "p/c")])
    assert set(places) == {"p/a", "p/b", "p/c"}


def test_neighbours_are_ordered_so_that_parallel_edges_do_not_cross():
    claims = [claim("p/a"), claim("p/b"), claim("p/x", "p/b"), claim("p/y", "p/a")]
    places = layout(claims)
    above = places["p/a"].order < places["p/b"].order
    assert above == (places["p/y"].order < places["p/x"].order)


def test_a_chain_of_a_thousand_claims_is_laid_out():
    chain = [claim("p/0")] + [claim(f"p/{k}", f"p/{k - 1}") for k in range(1, 1000)]
    assert layout(chain)["p/999"].layer == 999
