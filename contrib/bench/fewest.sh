#!/bin/sh
# The fewest calls that bring a bare host to the same end as mpio: what somebody who knows both tools writes for one
# host. Nothing is looked at, checked, kept or given back. `fewest.sh mesh|subnet PORTALS… -- WWIDS…`
# In a mesh every iface talks to every portal; otherwise the first iface to the portals of its own subnet, and so on.
set -u
layout=$1
shift
portals=
while [ "$1" != -- ]; do
	portals="$portals $1"
	shift
done
shift

# What the records, the kernel and multipathd are to have from the start, in files.
sed -i -e 's/^\(node.startup\) = .*/\1 = automatic/' \
	-e 's/^\(node.session.timeo.replacement_timeout\) = .*/\1 = 10/' \
	-e 's/^\(node.conn\[0\].timeo.login_timeout\) = .*/\1 = 5/' \
	-e 's/^\(node.session.initial_login_retry_max\) = .*/\1 = 4/' /etc/iscsi/iscsid.conf
for nic in eth1 eth2; do
	echo 2 >/proc/sys/net/ipv4/conf/$nic/rp_filter
	echo "net.ipv4.conf.$nic.rp_filter = 2"
done >/etc/sysctl.d/99-zz-iscsi.conf
mkdir -p /etc/multipath/conf.d
# detect_pgpolicy is for 0.11.1; 0.9.4 says that it does not know it and goes on.
{
	cat <<-END
		defaults {
			find_multipaths no
		}
		devices {
			device {
				vendor NEXENTA
				product COMSTAR
				path_grouping_policy group_by_node_name
				path_selector "service-time 0"
				path_checker tur
				failback immediate
				no_path_retry 12
				detect_pgpolicy no
				fast_io_fail_tmo 10
				dev_loss_tmo infinity
			}
		}
		multipaths {
	END
	number=0
	for wwid; do
		printf 'multipath {\nwwid %s\nalias bench-%02d\n}\n' "$wwid" "$number"
		number=$((number + 1))
	done
	echo '}'
} >/etc/multipath/conf.d/90-iscsi.conf

systemctl enable --now iscsid.service
multipathd reconfigure
iscsiadm -m iface -I sw-iscsi-0 -o new -n iface.net_ifacename -v eth1
iscsiadm -m iface -I sw-iscsi-1 -o new -n iface.net_ifacename -v eth2

if [ "$layout" = mesh ]; then
	for portal in $portals; do
		iscsiadm -m discovery -t st -p "$portal" -I sw-iscsi-0 -I sw-iscsi-1
	done
	iscsiadm -m node -l
	exit
fi
for portal in $portals; do
	case $portal in
	10.10.8.*) iface=sw-iscsi-0 ;;
	*) iface=sw-iscsi-1 ;;
	esac
	iscsiadm -m discovery -t st -p "$portal" -I $iface -o new
done
# A target names all its portals to whom asks at one of them: only the pairs in one subnet are wanted.
for portal in $portals; do
	case $portal in
	10.10.8.*) iface=sw-iscsi-0 ;;
	*) iface=sw-iscsi-1 ;;
	esac
	iscsiadm -m node -p "$portal" -I $iface -l &
done
wait
