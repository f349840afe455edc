/* Who of a crowd asks the origin for what. Neighbours that want the same and speak fringe_claim
 * elect a fetcher for every extent: each ranks itself among them by a hash of extent and peer id
 * (rendezvous), the lowest goes first and says so with a CLAIM, and everybody else takes that for
 * a HAVE to come until it expires. So the origin sends what nobody has, and about once.
 *
 * The rules and their numbers come from a model (facts: "the algorithm that won"):
 *   - one extent under way from the origin for each visitor, or several small files that are no
 *     more together (one at a time would cost a page of small files a round trip each);
 *   - an extent is due RANK_MS x rank after we joined, or after the last claim on it expired;
 *   - what the page reads first comes first, in smaller extents, then what we rank lowest in;
 *   - who is asked for much already waits longer: whatever it fetches it must give to all;
 *   - when peers give too little and nothing is due, the rarest extent is fetched all the same,
 *     within a budget. */
#include "core/crowd.h"

#include "base/mem.h"
#include "core/peer.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define FETCHES_MAX    8 /* of those */
#define RANK_MS        300
#define RANKS_WAITED   2  /* for more of lower rank, who may want other files, ... */
#define RANK_NEXT_MS   50 /* ... only until their claims would be here */
#define BIG_RANK_MS    1000
#define BIG_STEEP_MS   4000 /* after so long the waiting for each further rank becomes shorter */
#define BIG_DOUBLE_MS  1400 /* from there on for each doubling of the rank */
#define BIG_SETTLE_MS  400  /* for many to hear how many there are */
#define SIZE_HOLDS_MS  60000
#define UNRANKED       UINT16_MAX
#define YIELD_SHARE    2
#define YIELD_MAX_MS   1000
#define LOOK_MS        20 /* between two looks, when nothing was due */
#define LOAD_MAX_MS    2000
#define UPLINK_MIN     500000 /* bytes a second, as long as it has not shown */
#define ASSIST_MS      1000   /* after joining */
#define ASSIST_ASKED   MIB(1)
#define SLOW_RESCUE_MS 60000  /* for what no page waits for */
#define RESCUE_BYTES   MIB(1) /* the most at once */
#define ASSIST_TENTHS  2      /* of the bundle, divided by the neighbours */

/* --- who is there */

static uint64_t latest(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

bool crowd_is(const struct swarm *swarm)
{
    /* Who gives nothing has no business in asking others to wait. */
    return swarm->wanting > 0 && site_may_share(swarm->site) && !swarm->node->config.supernode;
}

/* A tracker also counts who has gone, so it is believed only where neighbours are many. */
bool crowd_is_big(const struct swarm *swarm)
{
    return swarm->speakers >= CROWD_MESH &&
           crowd_size(swarm) > swarm->speakers + swarm->speakers / 2;
}

/* In a burst a tracker's count is old before the peers are connected, so neighbours tell each other
 * and the larger number spreads; it is forgotten before long, or it would be told for ever. */
uint32_t crowd_size(const struct swarm *swarm)
{
    uint32_t size = swarm->swarm_size;
    bool holds = swarm->node->now_ms < swarm->size_said_ms + SIZE_HOLDS_MS;

    if (holds && swarm->size_said > size)
        size = swarm->size_said;
    return size < LIMIT_SWARM_SIZE ? size : LIMIT_SWARM_SIZE;
}

static int falling(const void *a, const void *b)
{
    uint32_t first = *(const uint32_t *)a, second = *(const uint32_t *)b;
    return first < second ? 1 : first > second ? -1 : 0;
}

/* What a quarter of the neighbours say at least: so many would have to lie together. */
static uint32_t said_size(const struct swarm *swarm)
{
    uint32_t sizes[LIMIT_PEERS], count = 0;
    uint64_t now = swarm->node->now_ms;

    list_for_each(link, next, &swarm->peers)
    {
        const struct peer *peer = list_entry(link, struct peer, in_swarm);
        if (count < LIMIT_PEERS && peer->speaks[EXTENSION_FRINGE_CLAIM] != 0)
            sizes[count++] = now < peer->size_ms + SIZE_HOLDS_MS ? peer->swarm_size : 0;
    }
    if (count < CROWD_MESH)
        return 0;
    qsort(sizes, count, sizeof *sizes, falling);
    return sizes[count / 4];
}

void crowd_peer_counts(struct peer *peer, uint32_t swarm_size)
{
    struct swarm *swarm = peer->swarm;

    if (swarm_size != peer->swarm_size)
        peer->size_ms = peer->node->now_ms;
    peer->swarm_size = swarm_size;
    uint32_t said = said_size(swarm);
    if (said <= crowd_size(swarm))
        return;
    swarm->size_said = said;
    swarm->size_said_ms = swarm->node->now_ms;
    if (said / 3 * 2 < swarm->size_told || !site_may_share(swarm->site))
        return;
    swarm->size_told = said;
    crowd_tell_all(swarm);
}

void crowd_peer_wants(struct peer *peer, bool wants)
{
    struct swarm *swarm = peer->swarm;

    if (peer->wanting == wants)
        return;
    peer->wanting = wants;
    if (wants)
        swarm->wanting++;
    else
        swarm->wanting--;
    mem_free(swarm->ranks);
    swarm->ranks = NULL;
}

static uint64_t weight(const struct swarm *swarm, uint32_t piece, const uint8_t id[PEER_ID_LENGTH])
{
    uint8_t message[4 + PEER_ID_LENGTH], hash[crypto_shorthash_BYTES];
    uint64_t value;

    store_u32be(message, piece);
    memcpy(message + 4, id, PEER_ID_LENGTH);
    crypto_shorthash(hash, message, sizeof message, swarm->infohash);
    memcpy(&value, hash, sizeof value);
    return value;
}

/* How many wanting neighbours are closer to this extent than we. */
static uint32_t count_rank(const struct swarm *swarm, uint32_t piece)
{
    uint64_t own = weight(swarm, piece, swarm->peer_id);
    uint32_t rank = 0;

    list_for_each(link, next, &swarm->peers)
    {
        const struct peer *peer = list_entry(link, struct peer, in_swarm);
        rank += peer->wanting && weight(swarm, piece, peer->id) < own;
    }
    return rank;
}

static uint32_t rank_of(struct swarm *swarm, uint32_t piece)
{
    if (swarm->ranks == NULL) {
        swarm->ranks = mem_alloc(swarm->meta->piece_count * sizeof *swarm->ranks);
        memset(swarm->ranks, 0xff, swarm->meta->piece_count * sizeof *swarm->ranks);
    }
    if (swarm->ranks[piece] == UNRANKED)
        swarm->ranks[piece] = (uint16_t)count_rank(swarm, piece);
    return swarm->ranks[piece];
}

/* In a big crowd nobody knows who has a lower weight: each waits a second for every visitor that,
 * by the size of the swarm, should have. So one a second begins, and its claim stops the others
 * long before the next. As the tracker may count many who have gone, the waiting for high ranks
 * grows with their logarithm only; that far it comes only when the lower ones are not there. */
static uint64_t big_wait_ms(const struct swarm *swarm, uint32_t piece)
{
    uint64_t own = weight(swarm, piece, swarm->peer_id) >> 32;
    uint64_t wait = own * crowd_size(swarm) * BIG_RANK_MS >> 32, more = 0;

    for (; wait > 2 * BIG_STEEP_MS; wait /= 2)
        more += BIG_DOUBLE_MS;
    if (wait > BIG_STEEP_MS)
        wait = BIG_STEEP_MS + (wait - BIG_STEEP_MS) * BIG_DOUBLE_MS / BIG_STEEP_MS;
    return wait + more;
}

/* How long to leave this extent to others; who waits less is the one to fetch it. */
static uint64_t wait_ms(struct swarm *swarm, uint32_t piece)
{
    if (!node_has(swarm->node, PART_RANK))
        return 0;
    if (crowd_is_big(swarm))
        return big_wait_ms(swarm, piece);
    uint32_t rank = rank_of(swarm, piece);
    if (rank <= RANKS_WAITED)
        return (uint64_t)rank * RANK_MS;
    return RANKS_WAITED * RANK_MS + (uint64_t)(rank - RANKS_WAITED) * RANK_NEXT_MS;
}

/* Who is done with one request does not take at once what has been open for long: others may be
 * done now as well, and claims take a while where the uplink is busy. */
static uint64_t yield_ms(uint64_t wait)
{
    uint64_t yield = wait / YIELD_SHARE;
    return yield < YIELD_MAX_MS ? yield : YIELD_MAX_MS;
}

/* --- what to fetch */

/* The best run found so far. */
struct choice {
    struct want *want;
    uint32_t first, end;
    uint64_t wait_ms; /* the less, the more it is ours to fetch */
    bool head;
    uint64_t next_ms; /* when the next one is due, if none is */
    uint64_t load_ms; /* what others ask of us keeps our uplink busy for so long */
};

/* Whoever fetches is asked for it by all the others. In a big crowd few are, of many. */
static uint64_t load_ms(const struct swarm *swarm)
{
    uint64_t blocks = 0, rate = latest(swarm->node->up_rate, UPLINK_MIN);

    if (crowd_is_big(swarm))
        return 0;
    list_for_each(link, next, &swarm->peers) blocks +=
        list_entry(link, struct peer, in_swarm)->wanted.count;
    uint64_t load = blocks * BLOCK_LENGTH * 1000 / rate;
    return load < LOAD_MAX_MS ? load : LOAD_MAX_MS;
}

/* Looks at the extent that begins with piece `first`; the pieces of it that may be asked for are
 * the run up to the first that may not. */
static void look_at_extent(struct swarm *swarm, struct want *want, uint32_t first, uint32_t end,
                           bool head, struct choice *best)
{
    uint64_t now = swarm->node->now_ms, since = 0;
    uint32_t from = first, upto;

    while (from < end && (since = crowd_open_since(swarm, from)) == 0)
        from++;
    if (from == end)
        return;
    uint64_t wait = wait_ms(swarm, first);
    uint64_t yield = yield_ms(head ? wait : wait + best->load_ms);
    wait += head ? best->load_ms / 2 : best->load_ms;
    uint64_t due = latest(latest(since, want->created_ms) + wait, swarm->free_ms + yield);
    if (due > now) {
        best->next_ms = due < best->next_ms ? due : best->next_ms;
        return;
    }
    for (upto = from + 1; upto < end; upto++) {
        since = crowd_open_since(swarm, upto);
        if (since == 0 || since > now)
            break;
    }
    if (best->want != NULL && (best->head > head || (best->head == head && best->wait_ms <= wait)))
        return;
    *best = (struct choice){want, from, upto, wait, head, best->next_ms, best->load_ms};
}

static uint32_t count_missing(const struct swarm *swarm)
{
    uint32_t missing = 0;

    list_for_each(link, next, &swarm->wants)
    {
        const struct want *want = list_entry(link, struct want, in_swarm);
        const struct metainfo_file *file = &swarm->meta->files[want->file];
        missing += file->pieces - bitfield_count_range(&swarm->have, file->first_piece,
                                                       file->first_piece + file->pieces);
    }
    return missing;
}

/* How long the extent is that begins there, in pieces: the head is shared out more finely. */
static uint32_t extent_at(const struct swarm *swarm, uint32_t offset, bool head)
{
    uint32_t step = crowd_extent_pieces(swarm),
             small = CROWD_EXTENT_HEAD / swarm->meta->piece_length;

    if (head && !crowd_is_big(swarm) && small < step)
        step = small > 0 ? small : 1;
    return step - offset % step;
}

static void look_at_want(struct swarm *swarm, struct want *want, uint32_t *head_left,
                         struct choice *best)
{
    const struct metainfo_file *file = &swarm->meta->files[want->file];
    uint32_t step = crowd_extent_pieces(swarm), end = file->first_piece + file->pieces;
    uint32_t at = want->head - (want->head - file->first_piece) % step;

    for (uint32_t upto; at < end; at = upto) {
        upto = at + extent_at(swarm, at - file->first_piece, *head_left > 0);
        upto = upto < end ? upto : end;
        look_at_extent(swarm, want, at, upto, *head_left > 0, best);
        *head_left -= *head_left < upto - at ? *head_left : upto - at;
        /* Nothing can beat rank 0 in the head, and nothing behind the head beats the head. */
        if (best->want != NULL && best->head && (best->wait_ms == 0 || *head_left == 0))
            return;
    }
}

static struct choice choose(struct swarm *swarm)
{
    uint64_t now = swarm->node->now_ms;
    struct choice best = {.next_ms = UINT64_MAX, .load_ms = load_ms(swarm)};
    uint32_t head_left = 1 + count_missing(swarm) / HEAD_SHARE;

    if (!node_has(swarm->node, PART_HEAD))
        head_left = 0;

    list_for_each(link, next, &swarm->wants)
    {
        struct want *want = list_entry(link, struct want, in_swarm);
        if (want->fetch != NULL)
            continue;
        if (now < want->origin_retry_ms) {
            best.next_ms =
                want->origin_retry_ms < best.next_ms ? want->origin_retry_ms : best.next_ms;
            continue;
        }
        look_at_want(swarm, want, &head_left, &best);
        if (best.want != NULL && best.head && (best.wait_ms == 0 || head_left == 0))
            break;
    }
    return best;
}

/* --- when peers give too little */

static bool may_assist(const struct swarm *swarm)
{
    uint64_t sharers = latest(swarm->connections, crowd_size(swarm));
    uint64_t budget = swarm->meta->length * ASSIST_TENTHS / 10 / (1 + sharers);

    return swarm->node->now_ms > swarm->joined_ms + ASSIST_MS &&
           (uint64_t)swarm->asked * BLOCK_LENGTH < ASSIST_ASKED && !fair_use_slows(swarm) &&
           swarm->assist_bytes + swarm->meta->piece_length <= budget &&
           swarm->node->storing_bytes < STORING_MAX;
}

/* The rarest piece that nobody is bringing us. */
static bool choose_rarest(struct swarm *swarm, struct choice *ret)
{
    uint16_t rarest = UINT16_MAX;

    list_for_each(link, next, &swarm->wants)
    {
        struct want *want = list_entry(link, struct want, in_swarm);
        const struct metainfo_file *file = &swarm->meta->files[want->file];
        uint32_t end = want->background ? 0 : file->first_piece + file->pieces;
        for (uint32_t i = bitfield_next_zero(&swarm->taken, want->head, end); i != BITFIELD_NONE;
             i = bitfield_next_zero(&swarm->taken, i + 1, end)) {
            uint16_t holders = swarm->availability != NULL ? swarm->availability[i] : 0;
            if (crowd_is_claimed(swarm, i) || holders == 0 || holders >= rarest)
                continue;
            rarest = holders;
            *ret = (struct choice){.want = want, .first = i, .end = i + 1};
        }
    }
    return rarest != UINT16_MAX;
}

static bool assist(struct swarm *swarm)
{
    struct choice choice;

    if (!node_has(swarm->node, PART_ASSIST) || !may_assist(swarm) || !choose_rarest(swarm, &choice))
        return false;
    swarm->assist_bytes += metainfo_piece_bytes(swarm->meta, choice.first);
    origin_start(choice.want, choice.first, choice.end);
    return true;
}

/* One, and twice as many each time when no peer has given anything since the last time: a page
 * among those who promise and give nothing is soon as well off as one alone. */
static uint32_t rescue_pieces(struct swarm *swarm)
{
    uint64_t bytes = (uint64_t)swarm->meta->piece_length << swarm->rescues;

    if (swarm->block_ms >= swarm->rescue_ms)
        swarm->rescues = 0;
    else if (bytes < RESCUE_BYTES)
        swarm->rescues++;
    swarm->rescue_ms = swarm->node->now_ms;
    return 1u << swarm->rescues;
}

static uint32_t rescue_end(const struct want *want, uint32_t first)
{
    struct swarm *swarm = want->swarm;
    const struct metainfo_file *file = &swarm->meta->files[want->file];
    uint32_t end = file->first_piece + file->pieces, pieces = rescue_pieces(swarm);

    end = end - first > pieces ? first + pieces : end;
    uint32_t there = bitfield_next_one(&swarm->have, first, end);
    return there != BITFIELD_NONE ? there : end;
}

/* Peers have what we want, or say so, and nothing comes: the page must not wait for them. */
static bool rescue(struct swarm *swarm)
{
    if (!crowd_is_starved(swarm) || !node_has(swarm->node, PART_HEDGE))
        return false;
    list_for_each(link, next, &swarm->wants)
    {
        struct want *want = list_entry(link, struct want, in_swarm);
        uint32_t missing = want_next_missing(want, want->head);
        uint64_t from = want->background
                            ? latest(want->moved_ms, swarm->piece_at_ms) + SLOW_RESCUE_MS
                            : want->origin_retry_ms;
        if (missing == UINT32_MAX || swarm->node->now_ms < latest(from, want->origin_retry_ms))
            continue;
        origin_start(want, missing, rescue_end(want, missing));
        return true;
    }
    return false;
}

/* --- all together */

static bool has_room(const struct swarm *swarm)
{
    uint64_t bytes = 0;

    if (swarm->origin_fetches >= FETCHES_MAX)
        return false;
    if (swarm->origin_fetches == 0)
        return true;
    list_for_each(link, next, &swarm->wants)
    {
        const struct origin_fetch *fetch = list_entry(link, struct want, in_swarm)->fetch;
        for (uint32_t i = fetch != NULL ? fetch->piece : 0; fetch != NULL && i < fetch->end; i++)
            bytes += metainfo_piece_bytes(swarm->meta, i);
    }
    return bytes < CROWD_EXTENT / 2;
}

void crowd_consider(struct swarm *swarm)
{
    uint64_t now = swarm->node->now_ms;

    if (!has_room(swarm) || list_empty(&swarm->wants))
        return;
    uint64_t ready = latest(swarm->crowd_ms, origin_ready_ms(swarm->site));
    if (now < ready) {
        node_wake(swarm->node, ready);
        return;
    }
    if (swarm->settling > 0 && now < swarm->settle_ms + SWARM_SETTLE_MS) {
        node_wake(swarm->node, swarm->settle_ms + SWARM_SETTLE_MS);
        return;
    }
    bool many = swarm->speakers >= CROWD_MESH || crowd_size(swarm) >= 2 * CROWD_MESH;
    if (many && now < swarm->settle_ms + BIG_SETTLE_MS) {
        node_wake(swarm->node, swarm->settle_ms + BIG_SETTLE_MS);
        return;
    }
    if (swarm->joined_ms == 0)
        swarm->joined_ms = now;
    struct choice choice = choose(swarm);
    while (choice.want != NULL) {
        origin_start(choice.want, choice.first, choice.end);
        if (!has_room(swarm))
            return;
        choice = choose(swarm);
    }
    if (swarm->origin_fetches > 0 || assist(swarm) || rescue(swarm))
        return;
    swarm->crowd_ms = choice.next_ms > now + LOOK_MS ? choice.next_ms : now + LOOK_MS;
    /* The assist has no due time of its own: it is looked at again before long. */
    if (swarm->crowd_ms > now + ASSIST_MS / 4)
        swarm->crowd_ms = now + ASSIST_MS / 4;
    node_wake(swarm->node, swarm->crowd_ms);
}
