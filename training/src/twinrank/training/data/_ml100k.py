"""MovieLens 100K: 100,000 ratings of 1,682 films by 943 people, 1997-09 to 1998-04."""

from twinrank.training.data._packaged import PackagedSet

ML100K = PackagedSet(
    name="ml100k",
    requirement="recbole==1.2.1",
    wheel_sha256="9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
    folder="recbole/dataset_example/ml-100k/",
    files={
        "ml-100k.inter": "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
        "ml-100k.item": "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
        "ml-100k.user": "4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972",
    },
    notice=(
        "MovieLens 100K is GroupLens data for research use and may not be redistributed. "
        "F. M. Harper and J. A. Konstan, The MovieLens Datasets, ACM TiiS 5(4), 2015."
    ),
)
