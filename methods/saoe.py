"""SAOE (Mettes and Snoek, ICCV 2017): spatial-aware object embeddings, without training."""

from bench.models.tubes import Localised


class SAOE(Localised):
    """Score objects related to an action in the whole video, and at plausible places near people.

    φ(·) is the mean word vector of a name at unit length [W], p(o|v) the classifier's probability
    of object o, averaged over the frames of video v. In a frame, b are the boxes of people and b*
    is, of an object o, the most probable box that is at most 25 pixels from b. (Numbered here.)

    (1) global(a) = Σ cos(φ(a), φ(o)) p(o|v) over the T objects nearest to action a, T = 100.
    (2) r(b*, b) [9]: the parts of the area of b* in the tile of b and in the eight around it.
    (3) s(b|a) = p(person|b) + w Σ cos(φ(a), φ(o)) p(o|b*) (1 − JSD(m_o ‖ r(b*, b))) over the n
    objects nearest to a that boxes can have, n = w = 1; JSD in bits, m_o the mean of r for o and
    people on MS-COCO.
    (4) a tube has one person's box in each frame that has any. The best one maximises
    Σ [s(b_i|a) + s(b_{i+1}|a) + λ IoU(b_i, b_{i+1})] over consecutive ones, λ = 1 (Gkioxari and
    Malik's linking, by dynamic programming); tube(a) is the mean of its s(b|a).
    (5) score(a) = global(a) + tube(a); tube(a) = 0 in a video without people, and without boxes.

    Exact: (1) to (5). λ and the bits of JSD are the released code's; that tube(a) is the
    mean is inferred. The distance of two boxes is that of their nearest points, in pixels of a
    frame of 320 × 240; the released code takes their nearest corners. An object without a box in
    reach contributes 0; the released code uses p(o|b*) = −1.
    Approximated: object bank, word vectors and detector are the profile's. Without ``priors``
    the position is ignored: 1 − JSD is left out. Only the profile's few frames are used.
    """

    label = "SAOE"
    approximates = "other object bank, word vectors and detector; tubes over few frames"
