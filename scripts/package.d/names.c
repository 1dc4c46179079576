/* Where a static program that was linked with glibc looks names up: in /etc and in DNS, which are built in.
 *
 * What else a machine names in nsswitch.conf (mdns, resolve, mymachines, systemd) is a library of its own glibc, and a
 * program with another one dies of loading it, by a floating point exception. So they are not asked. */
#include <nss.h>

__attribute__((constructor)) static void names(void)
{
    __nss_configure_lookup("hosts", "files dns");
    __nss_configure_lookup("passwd", "files");
    __nss_configure_lookup("group", "files");
}
